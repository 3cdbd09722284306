import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSimulateArguments } from '../../agent/simulate/arguments.ts';
import { Generator } from '../../agent/simulate/generate.ts';
import { readIncident } from '../../agent/simulate/incident.ts';
import { PLAN_DEFAULTS, type SimulationPlan } from '../../agent/simulate/plan.ts';
import { readScript, shippedScripts } from '../../agent/simulate/script.ts';
import { causeIndex, causeOf, createCauseLookup } from '../../sla/causes.ts';
import { emptyFacts, MEASURE_COUNT, MINUTE_MS } from '../../sla/facts.ts';
import { serviceMonth } from '../../sla/month.ts';
import { parseOutcome } from '../../sla/outcome.ts';
import { read } from '../../sla/read.ts';
import { presetTerms } from '../../sla/terms.ts';

const UTC = { ...presetTerms('trtc'), timeZone: '+00:00' };

function planOf(change: Partial<SimulationPlan>): SimulationPlan {
  return { ...PLAN_DEFAULTS, ...change };
}

/** The reading of a month of simulated traffic, by the functions that the daemon uses. */
function readMonth(plan: SimulationPlan, month: string) {
  const found = serviceMonth(month, UTC);
  if (!found.ok) throw new Error(found.message);
  const { firstMinute, minuteCount, startMs, endMs } = found.month;
  const facts = emptyFacts(firstMinute, minuteCount);
  const lookup = createCauseLookup();
  for (const made of new Generator(plan).outcomes(startMs, endMs)) {
    const parsed = parseOutcome(made, {});
    if (!parsed.ok) throw new Error(parsed.fault.message);
    const { outcome } = parsed;
    const at = (Math.floor(outcome.startedAtMs / MINUTE_MS) - firstMinute) * MEASURE_COUNT;
    facts.tallies[at]! += outcome.count;
    if (outcome.result === 'failed') {
      facts.tallies[at + 1 + causeIndex(causeOf(outcome, lookup))]! += outcome.count;
    }
  }
  const service = plan.services[0]!;
  return read({ service, month: found.month, facts, terms: UTC, exclusions: [], nowMs: endMs });
}

describe('a public incident, simulated', () => {
  const incidents = [
    { name: '2025-12-28', lost: 3, display: '99.966%' },
    { name: '2023-02-13', lost: 5, display: '99.937%' },
    { name: '2026-06-02', lost: 31, display: '99.641%' },
    { name: '2025-03-31', lost: 19, display: '99.787%' },
    { name: '2021-02-26', lost: 30, display: '99.627%' },
  ];

  for (const { name, lost, display } of incidents) {
    for (const seed of [1, 2]) {
      it(`${name} costs ${lost} windows, ${display} of its month (seed ${seed})`, () => {
        const script = readScript(name, '.');
        if (!script.ok) throw new Error(script.message);
        const plan = planOf({ incidents: script.value, seed, curve: 'daily' });
        const reading = readMonth(plan, name.slice(0, 7));
        expect(reading.budget.lost).toBe(lost);
        expect(reading.availability.display).toBe(display);
        expect(reading.downtimeMinutes).toBe(lost * 5);
      });
    }
  }

  it('is among the scripts that ship', () => {
    expect(shippedScripts()).toEqual(incidents.map(({ name }) => name).sort());
  });
});

describe('simulated traffic', () => {
  const FROM_MS = Date.UTC(2026, 5, 1);
  const HOUR_MS = 3_600_000;

  function sums(plan: SimulationPlan, fromMs: number, toMs: number) {
    let [ok, failed] = [0, 0];
    for (const { result, count } of new Generator(plan).outcomes(fromMs, toMs)) {
      if (result === 'ok') ok += count;
      else failed += count;
    }
    return { attempts: ok + failed, failed };
  }

  it('has the rate and the share of failures that were asked for', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.5, max: 500, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(1_000),
        (ratePerSecond, failureShare, seed) => {
          const plan = planOf({ ratePerSecond, failureShare, seed, noise: 0 });
          const { attempts, failed } = sums(plan, FROM_MS, FROM_MS + HOUR_MS);
          const streams = plan.regions.length * plan.platforms.length;
          expect(Math.abs(attempts - ratePerSecond * 3_600)).toBeLessThanOrEqual(streams);
          expect(Math.abs(failed - attempts * failureShare)).toBeLessThanOrEqual(streams);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is the same for the same seed, in whatever steps it is made', () => {
    const plan = planOf({ seed: 7, noise: 0 });
    expect(sums(plan, FROM_MS, FROM_MS + HOUR_MS)).toEqual(sums(plan, FROM_MS, FROM_MS + HOUR_MS));
    const stepped = new Generator(plan);
    let attempts = 0;
    for (let atMs = FROM_MS; atMs < FROM_MS + HOUR_MS; atMs += 1_700) {
      const endMs = Math.min(atMs + 1_700, FROM_MS + HOUR_MS);
      for (const { count } of stepped.outcomes(atMs, endMs)) attempts += count;
    }
    expect(Math.abs(attempts - sums(plan, FROM_MS, FROM_MS + HOUR_MS).attempts)).toBeLessThanOrEqual(6);
  });

  it('is quiet at night with the daily curve, and as much in all', () => {
    const plan = planOf({ curve: 'daily', noise: 0, ratePerSecond: 100 });
    const night = sums(plan, FROM_MS + 20 * HOUR_MS, FROM_MS + 21 * HOUR_MS).attempts;
    const noon = sums(plan, FROM_MS + 8 * HOUR_MS, FROM_MS + 9 * HOUR_MS).attempts;
    expect(noon / night).toBeGreaterThan(4);
    const day = sums(plan, FROM_MS, FROM_MS + 24 * HOUR_MS).attempts;
    expect(Math.abs(day / (100 * 86_400) - 1)).toBeLessThan(0.001);
  });

  it('fails only where and when the incident is', () => {
    const incident = readIncident('2026-06-01T00:10Z..2026-06-01T00:20Z:100%::ap-singapore:5400/-10015');
    if (!incident.ok) throw new Error(incident.message);
    const plan = planOf({ failureShare: 0, incidents: [incident.value] });
    const made = [...new Generator(plan).outcomes(FROM_MS, FROM_MS + HOUR_MS)];
    const failed = made.filter(({ result }) => result === 'failed');
    expect(new Set(failed.map(({ region, code, extraCode }) => `${region} ${code} ${extraCode}`))).toEqual(
      new Set(['ap-singapore 5400 -10015']),
    );
    const times = failed.map(({ at }) => at - FROM_MS);
    expect([Math.min(...times), Math.max(...times)]).toEqual([600_000, 1_140_000]);
    const inIt = made.filter(({ region, at }) => region === 'ap-singapore' && at >= FROM_MS + 600_000);
    expect(inIt.filter(({ at }) => at < FROM_MS + 1_200_000).every(({ result }) => result === 'failed')).toBe(
      true,
    );
  });
});

describe('the command line of simulate', () => {
  const where = { cwd: '.', nowMs: Date.UTC(2026, 10, 23) };

  it('reads all that the help names', () => {
    const line =
      '--services a,b --regions r --platforms p --codes 1,2/3 --rate 5 --noise 0 --failure-share 1% --curve daily ' +
      '--incident 2026-06-02T12:06Z..2026-06-02T14:38:30+02:00:5%:a:r:1 --script 2025-12-28 ' +
      '--from 2026-06-01T00:00Z --to now --speed max --seed 9 --out -';
    const read = readSimulateArguments(line.split(' '), where);
    expect(read).toMatchObject({
      ok: true,
      value: {
        plan: {
          services: ['a', 'b'],
          codes: ['1', '2/3'],
          failureShare: 0.01,
          incidents: [{ share: 0.05, service: 'a', region: 'r', code: '1' }, { share: 1 }],
        },
        fromMs: Date.UTC(2026, 5, 1),
        toMs: where.nowMs,
        speed: Number.POSITIVE_INFINITY,
        out: '-',
      },
    });
  });

  it('names what is wrong and what to write instead', () => {
    const faults = [
      ['--rate x', /--rate x: write a number/],
      ['--speed 0', /--speed 0: write max, or a number/],
      ['--incident 2026-06-02T12:06Z..2026-06-02T12:00Z:5%', /is not after from; swap them/],
      ['--incident 2026-06-02T12:06Z..2026-06-02T12:10Z:120%', /share is 120%; write 0 to 1/],
      ['--incident tomorrow:5%', /write FROM..TO:SHARE/],
      ['--script nowhere.yml', /nowhere.yml cannot be read \(ENOENT\); give a file, or one of 2021-02-26/],
      ['--from yesterday', /--from yesterday: write RFC 3339/],
      ['--from 2026-06-02T00:00Z --to 2026-06-01T00:00Z', /--to is before --from; swap them/],
      ['--out x', /--out needs an end; give --to/],
      ['--codes abc', /--codes abc: write CODE/],
      ['--unknown', /Unknown option '--unknown'/],
    ] as const;
    for (const [line, message] of faults) {
      const read = readSimulateArguments(line.split(' '), where);
      expect(read.ok ? 'accepted' : read.message).toMatch(message);
    }
  });
});
