import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fold, type ReportedFields } from '../../agent/intake/fold.ts';
import { outcomeLabels } from '../../agent/labels.ts';
import { Tally } from '../../agent/tally.ts';
import type { Cell } from '../../protocol/frame.ts';
import { createCauseLookup } from '../../sla/causes.ts';
import { OUTCOME_LIMITS, parseOutcome } from '../../sla/outcome.ts';

const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 30);
const lookup = createCauseLookup();

function newFold(clockOffset: () => number | null = () => null): Fold {
  return new Fold({ lookup, service: 'acme', clockOffset });
}

/** Few values each, so that they come together again and again, and not all of them sound. */
const fields = fc.record(
  {
    service: fc.constantFrom('acme', 'globex', null, 'no such name!', 7),
    at: fc.constantFrom(NOW_MS, NOW_MS + 60_000, NOW_MS - 0.5, '2026-11-23T12:00:00Z', null, 5, Number.NaN),
    result: fc.constantFrom('ok', 'failed', 'failed', 'ok', 'perhaps'),
    platform: fc.constantFrom('web-v5', 'native', 'other', '', null, 'x'.repeat(65)),
    region: fc.constantFrom('eu', 'ap', '', null, 'a\nb', {}),
    app: fc.constantFrom('one', 'two', null, 'x'.repeat(65), 9),
    code: fc.constantFrom(5400, -0, 1.5, '5400', null),
    extraCode: fc.constantFrom(-10015, 0, null, '1'),
    cause: fc.constantFrom('provider', 'network', null, 'weather'),
    count: fc.constantFrom(1, 3, 1_000_000, 1_000_001, 0, 1.5, null, '2'),
    durationMs: fc.constantFrom(12.5, 0, -1, null, '3', Number.POSITIVE_INFINITY),
    id: fc.constantFrom('a', null),
  },
  { requiredKeys: [] },
);

function cellsOf(tally: Tally): string[] {
  return tally
    .take()
    .map((cell) => JSON.stringify(Object.entries(cell).sort()))
    .sort();
}

function addParsed(tally: Tally, record: ReportedFields): boolean {
  const parsed = parseOutcome(record, { service: 'acme', nowMs: NOW_MS });
  if (!parsed.ok) return false;
  const minute = Math.floor(parsed.outcome.startedAtMs / 60_000);
  tally.add({ ...outcomeLabels(parsed.outcome, lookup), minute, n: parsed.outcome.count });
  return true;
}

describe('outcomes that are folded as they are recorded', () => {
  it('are the cells that the full parser makes of the same records, and none that it refuses', () => {
    fc.assert(
      fc.property(fc.array(fields, { minLength: 1, maxLength: 60 }), (records) => {
        const fold = newFold();
        const folded = new Tally();
        const parsed = new Tally();
        for (const record of records) {
          const isSound = addParsed(parsed, record);
          expect(fold.read(record, NOW_MS) !== undefined).toBe(isSound);
          if (fold.add(record, NOW_MS)) expect(isSound).toBe(true);
          else addParsed(folded, record);
        }
        for (const cell of fold.take().cells) folded.add(cell);
        expect(cellsOf(folded)).toEqual(cellsOf(parsed));
        expect(fold.isEmpty).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('need the full way only with an id or a fault', () => {
    const fold = newFold();
    expect(fold.add({ result: 'ok' }, NOW_MS)).toBe(true);
    expect(fold.add({ result: 'failed', platform: 'web-v5', code: 5400, at: NOW_MS, count: 9 }, NOW_MS)).toBe(
      true,
    );
    expect(fold.add({ result: 'ok', id: 'a' }, NOW_MS)).toBe(false);
    expect(fold.add({ result: 'ok', at: '2026-11-23T12:00:00Z' }, NOW_MS)).toBe(true);
    expect(fold.add({ result: 'ok', count: 0 }, NOW_MS)).toBe(false);
    expect(fold.add({ result: 'ok', at: OUTCOME_LIMITS.maxMs }, NOW_MS)).toBe(false);
  });

  it('are in the minutes of the correction under which they were recorded', () => {
    let offsetMs: number | null = null;
    const fold = newFold(() => offsetMs);
    expect(fold.add({ result: 'ok' }, NOW_MS)).toBe(true);
    offsetMs = 3_600_000;
    // Until what was recorded before is taken, the full way knows the new correction.
    expect(fold.add({ result: 'ok' }, NOW_MS)).toBe(false);
    expect(fold.take()).toMatchObject({ clockOffsetMs: null, cells: [{ minute: NOW_MS / 60_000 - 0.5 }] });
    expect(fold.add({ result: 'ok' }, NOW_MS)).toBe(true);
    expect(fold.take()).toMatchObject({
      clockOffsetMs: 3_600_000,
      cells: [{ minute: NOW_MS / 60_000 + 59.5 }],
    });
  });

  it('of a service that is no longer taken go the full way once cells were taken, until it is taken again', () => {
    let forbidden = '';
    let admission = 0;
    const fold = new Fold({
      lookup,
      service: 'acme',
      clockOffset: () => null,
      admits: (service) => service !== forbidden,
      admission: () => admission,
    });
    const add = (service: string) => fold.add({ result: 'ok', service }, NOW_MS);
    const forbid = (service: string) => {
      forbidden = service;
      admission += 1;
    };
    expect([add('acme'), add('globex')]).toEqual([true, true]);
    forbid('globex');
    expect(fold.take().cells).toHaveLength(2);
    expect([add('acme'), add('globex')]).toEqual([true, false]);
    forbid('');
    expect(fold.take().cells).toHaveLength(1);
    expect([add('acme'), add('globex')]).toEqual([true, true]);
  });

  it('take bounded memory, however many labels and minutes there are', () => {
    const fold = newFold();
    let folded = 0;
    for (let i = 0; i < 30_000; i += 1) if (fold.add({ result: 'ok', region: `r${i}` }, NOW_MS)) folded += 1;
    expect(folded).toBe(10_000);
    const { cells } = fold.take();
    expect(cells.reduce((sum: number, { n }: Cell) => sum + n, 0)).toBe(10_000);
    for (let i = 0; i < 30_000; i += 1)
      fold.add({ result: 'ok', at: NOW_MS + (i % 20_000) * 60_000 }, NOW_MS);
    expect(fold.take().cells.length).toBeLessThanOrEqual(10_000);
  });
});
