import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { explainWindow } from '../../sla/explain.ts';
import { judgeMonth } from '../../sla/judge-month.ts';
import { judgeWindow } from '../../sla/verdict.ts';
import { type Entry, excluding, factsOf, monthOf, type Scene, termsOf } from './months.ts';

function explain(scene: Scene & { readonly late?: number }, window = 0) {
  const terms = termsOf(scene.terms);
  const month = monthOf(scene.month ?? '2026-07', terms);
  const facts = factsOf(month, scene.entries ?? [], scene.alive);
  if (scene.late !== undefined) facts.late[window] = scene.late;
  const nowMs = scene.atMinute === undefined ? month.endMs : month.startMs + scene.atMinute * 60_000;
  const exclusions = scene.exclusions ?? [];
  return explainWindow(judgeMonth({ month, facts, terms, exclusions, nowMs }), window, exclusions);
}

const july = monthOf('2026-07');
const lost: Entry[] = [{ minute: 2, attempts: 1_100, failures: { provider: 10, unknown: 4, customer: 100 } }];

describe('the explanation of a lost window', () => {
  it('shows counts by cause, what counted, the rule, and what would change the verdict', () => {
    const found = explain({ entries: lost });
    expect(found.window).toMatchObject({
      start: '2026-06-30T16:00:00.000Z',
      verdict: 'down',
      attempts: 1_100,
      failures: { provider: 10, unknown: 4, customer: 100, network: 0 },
      counted: { attempts: 1_000, failures: 14 },
      lowVolume: false,
    });
    expect(found.rule).toEqual({
      clause: '1.5',
      text: 'a window whose success rate is lower than 99 % is unavailable',
    });
    expect(found.change).toEqual({ kind: 'to-up', reattributed: 5, successes: 400 });
    expect(found.sentences).toEqual([
      '14 failures of 1,000 counted attempts: down.',
      'Failures that do not count: 100 of cause customer.',
      'It would be up with 5 of the 14 failures attributed elsewhere, or with 400 more successes.',
    ]);
    expect(found.spans).toEqual([{ from: '2026-06-30T16:00:00.000Z', to: '2026-06-30T16:05:00.000Z' }]);
  });

  it('names low volume, lateness and the time at which it closes', () => {
    const entries = [{ minute: 0, attempts: 20, failures: { provider: 1 } }];
    const found = explain({ entries, late: 3, atMinute: 7.9 });
    expect(found).toMatchObject({ state: 'provisional', closesAt: '2026-06-30T16:08:00.000Z' });
    expect(found.sentences).toEqual([
      '1 failure of 20 counted attempts: down.',
      'It would be up with 1 of the 1 failure attributed elsewhere, or with 80 more successes.',
      'Low volume: with fewer than 100 attempts a single failure can lose a window.',
      '3 attempts came after it had closed.',
      'Provisional: what arrives within 3 minutes of its end is not late.',
    ]);
    expect(explain({ entries, atMinute: 8 }).state).toBe('closed');
    expect(explain({ entries, atMinute: 4.9 }).state).toBe('open');
    expect(explain({ entries, atMinute: -1 }).state).toBe('future');
  });

  it('knows that no successes help where the threshold is 100 %', () => {
    const found = explain({ entries: lost, terms: { threshold: '100' } });
    expect(found.change).toEqual({ kind: 'to-up', reattributed: 14, successes: null });
  });
});

describe('the explanation of any other window', () => {
  it('names every exclusion that touches it, and what was recorded in the excluded minutes', () => {
    const exclusions = [excluding(july, 2, 3), excluding(july, 4, 9), excluding(july, 5, 6)];
    const found = explain({ entries: [...lost, { minute: 0, attempts: 200 }], exclusions });
    expect(found.exclusions.map(({ from }) => from)).toEqual([
      '2026-06-30T16:02:00.000Z',
      '2026-06-30T16:04:00.000Z',
    ]);
    expect(found.window).toMatchObject({
      verdict: 'up',
      excludedMinutes: 2,
      attempts: 200,
      excluded: { attempts: 1_100, failures: { provider: 10, unknown: 4, customer: 100, network: 0 } },
    });
    expect(found.sentences).toContain('2 of 5 minutes excluded; the rest is judged alone.');
  });

  it('says in how many minutes exclusions overlap, so that nobody withdraws one and wonders', () => {
    const overlapping = [excluding(july, 0, 3), excluding(july, 2, 4), excluding(july, 2, 3)];
    expect(explain({ entries: lost, exclusions: overlapping }).sentences).toContain(
      'Exclusions overlap in 1 minute: left out once, and withdrawing one of them alone brings nothing back there.',
    );
    const adjoining = [excluding(july, 0, 2), excluding(july, 2, 4)];
    expect(explain({ entries: lost, exclusions: adjoining }).sentences.join()).not.toContain('overlap');
  });

  it('gives the clause of a window that is wholly excluded', () => {
    const found = explain({ exclusions: [excluding(july, 0, 5)] });
    expect(found.rule).toEqual({ clause: '4.12', text: 'every minute of the window is excluded' });
    expect(found.change).toBeNull();
    expect(found.sentences).toContain('5 of 5 minutes excluded; nothing is left to judge.');
  });

  it.each([
    ['idle', {}, 'nobody asked to enter'],
    ['unmeasured', { alive: [] }, 'no agent was watching'],
    ['remaining', { atMinute: 1 }, 'has not ended'],
    ['up', { entries: [{ minute: 0, attempts: 1 }] }, 'available unless'],
    ['down', { terms: { emptyWindow: 'down' } }, 'observed window without requests'],
  ] as const)('says why it is %s', (verdict, scene, text) => {
    const found = explain(scene);
    expect(found.window.verdict).toBe(verdict);
    expect(found.rule.text).toContain(text);
  });

  it('says of a window below the threshold that the next one did not follow it', () => {
    const found = explain({ entries: lost, terms: { minConsecutive: 2 } });
    expect(found.window.verdict).toBe('up');
    expect(found.rule.text).toBe('lower than 99 %, but not for 2 windows in a row');
  });

  it('shows both stretches of an hour that the clock repeats, and none of one that it skips', () => {
    const terms = { timeZone: 'America/New_York' };
    expect(explain({ month: '2026-11', terms }, 12).spans).toHaveLength(2);
    const skipped = explain({ month: '2026-03', terms }, 7 * 288 + 24);
    expect(skipped.spans).toEqual([]);
    expect(skipped.window).toMatchObject({ start: '', minutes: 0, verdict: 'idle' });
  });
});

describe('what would change a verdict', () => {
  it('is the least that does, on either side and for every reading of the contract', () => {
    const few = fc.nat(15);
    const record = fc.record({
      threshold: fc.constantFrom('99', '99.95', '95', '50'),
      uncountedFailures: fc.constantFrom('leave', 'succeed'),
      minAttempts: fc.constantFrom(1, 50),
    });
    fc.assert(
      fc.property(fc.nat(1_500), few, few, record, (ok, provider, customer, terms) => {
        const failures = { provider, customer };
        const attempts = ok + provider + customer;
        fc.pre(attempts > 0);
        const found = explain({ terms, entries: [{ minute: 0, attempts, failures }] });
        const verdictWith = (changed: { ok?: number; provider?: number; customer?: number }) => {
          const tally = { unknown: 0, network: 0, provider, customer, isObserved: true, ...changed };
          const sum = (changed.ok ?? ok) + tally.provider + tally.customer;
          return judgeWindow({ ...tally, attempts: sum }, termsOf(terms)).verdict;
        };
        const { change } = found;
        if (change?.kind === 'to-up') {
          const moved = (n: number) => verdictWith({ provider: provider - n, customer: customer + n });
          // Fewer than the minimum of attempts is up as well, so that a smaller change may do by that alone.
          if (terms.minAttempts === 1) expect(moved(change.reattributed - 1)).toBe('down');
          expect(moved(change.reattributed)).toBe('up');
          expect(verdictWith({ ok: ok + change.successes! - 1 })).toBe('down');
          expect(verdictWith({ ok: ok + change.successes! })).toBe('up');
        } else if (change?.kind === 'to-down') {
          expect(verdictWith({ provider: provider + change.failures })).toBe('down');
          if (change.failures > 1)
            expect(verdictWith({ provider: provider + change.failures - 1 })).toBe('up');
        }
      }),
      { numRuns: 100 },
    );
  });
});
