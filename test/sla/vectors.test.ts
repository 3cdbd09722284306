import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { causeOf, createCauseLookup } from '../../sla/causes.ts';
import { type Exclusion, parseExclusion } from '../../sla/exclusion.ts';
import { serviceMonth } from '../../sla/month.ts';
import { parseOutcomeText } from '../../sla/outcome.ts';
import { read } from '../../sla/read.ts';
import { createTally } from '../../sla/tally.ts';
import { parseTerms } from '../../sla/terms.ts';

interface Vector {
  readonly why: string;
  readonly service: string;
  readonly month: string;
  readonly terms: unknown;
  readonly exclusions: readonly unknown[];
  readonly expect: {
    readonly days: number;
    readonly windows: number;
    readonly attempts: number;
    readonly failures: Record<string, number>;
    readonly downtimeMinutes: number;
    readonly ratio: number;
    readonly display: string;
    readonly meetsTarget: boolean;
    readonly voucherPercent: number;
    readonly budget: unknown;
    readonly figures: Record<'providerOnly' | 'providerAndUnknown' | 'raw', number>;
    readonly lowVolumeDown: number;
    readonly lostWindows: readonly unknown[];
  };
}

const folder = fileURLToPath(new URL('../fixtures/vectors/', import.meta.url));
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -'.json'.length));

function readVector(name: string) {
  const vector = JSON.parse(readFileSync(`${folder}${name}.json`, 'utf8')) as Vector;
  const lines = readFileSync(`${folder}${name}.ndjson`, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return { vector, lines };
}

describe('the vectors', () => {
  it('are all here', () => expect(names.length).toBe(11));

  it.each(names)('%s', (name) => {
    const { vector, lines } = readVector(name);
    const parsed = parseTerms(vector.terms);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
    const found = serviceMonth(vector.month, parsed.terms);
    if (!found.ok) throw new Error(found.message);
    const { month } = found;
    const exclusions = vector.exclusions.map((entry): Exclusion => {
      const exclusion = parseExclusion(entry, parsed.terms);
      if (!exclusion.ok) throw new Error(JSON.stringify(exclusion.faults));
      return exclusion.exclusion;
    });

    const lookup = createCauseLookup();
    const tally = createTally(month.firstMinute, month.minuteCount);
    const seen = new Set<string>();
    for (const line of lines) {
      const outcome = parseOutcomeText(line, {});
      if (!outcome.ok) throw new Error(outcome.fault.message);
      const { id } = outcome.outcome;
      if (id !== undefined && seen.has(id)) continue;
      if (id !== undefined) seen.add(id);
      tally.add(outcome.outcome, causeOf(outcome.outcome, lookup));
    }
    tally.markWatched();
    const reading = read({
      service: vector.service,
      month,
      facts: tally.facts(),
      terms: parsed.terms,
      exclusions,
      nowMs: month.endMs,
    });

    expect({
      days: reading.period.days,
      windows: reading.period.windows,
      attempts: reading.attempts,
      failures: reading.failures,
      downtimeMinutes: reading.downtimeMinutes,
      ratio: reading.availability.ratio,
      display: reading.availability.display,
      meetsTarget: reading.availability.meetsTarget,
      voucherPercent: reading.voucherPercent,
      budget: reading.budget,
      figures: {
        providerOnly: reading.figures.providerOnly.lost,
        providerAndUnknown: reading.figures.providerAndUnknown.lost,
        raw: reading.figures.raw.lost,
      },
      lowVolumeDown: reading.windows.lowVolumeDown,
      lostWindows: reading.lostWindows.map(({ lowVolume: _, ...rest }) => rest),
    }).toEqual(vector.expect);
  });
});
