import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { judgeWindow, type WindowTally } from '../../sla/verdict.ts';
import { termsOf } from './months.ts';

const tally = (fields: Partial<WindowTally>): WindowTally => ({
  attempts: 0,
  provider: 0,
  unknown: 0,
  customer: 0,
  network: 0,
  isObserved: true,
  ...fields,
});

const terms = termsOf();

describe('a window (1.5)', () => {
  it.each([
    ['99 of 100 is up', { attempts: 100, provider: 1 }, 'up'],
    ['98 of 99 is down', { attempts: 99, provider: 1 }, 'down'],
    ['98 of 100 is down', { attempts: 100, provider: 2 }, 'down'],
    ['9,900 of 10,000 is up', { attempts: 10_000, unknown: 100 }, 'up'],
    ['9,899 of 10,000 is down', { attempts: 10_000, unknown: 101 }, 'down'],
    ['one of one failing is down', { attempts: 1, provider: 1 }, 'down'],
    ['unknown failures count', { attempts: 100, provider: 1, unknown: 1 }, 'down'],
    ['customer failures leave both sides', { attempts: 200, customer: 100, provider: 1 }, 'up'],
    ['which leaves fewer attempts to fail', { attempts: 199, customer: 100, provider: 1 }, 'down'],
    ['network failures leave both sides too', { attempts: 199, network: 100, provider: 1 }, 'down'],
    ['only failures that do not count are up', { attempts: 5, customer: 5 }, 'up'],
    ['none asking is idle', {}, 'idle'],
    ['nobody watching is unmeasured', { isObserved: false }, 'unmeasured'],
    ['attempts without a living agent are measured', { attempts: 9, isObserved: false }, 'up'],
  ] as const)('%s', (_, fields, verdict) => expect(judgeWindow(tally(fields), terms).verdict).toBe(verdict));

  it('reports the counts that its verdict rests on', () => {
    const mixed = tally({ attempts: 1_000, provider: 7, unknown: 5, customer: 100, network: 40 });
    expect(judgeWindow(mixed, terms)).toEqual({ verdict: 'down', attempts: 860, failures: 12 });
  });

  it('refuses books in which more failed than tried', () => {
    expect(() => judgeWindow(tally({ attempts: 1, provider: 1, customer: 1 }), terms)).toThrow(
      /FACTS_INCONSISTENT/,
    );
  });
});

describe('another reading of the contract', () => {
  it('may ask for a minimum of counted attempts', () => {
    const fifty = termsOf({ minAttempts: 50 });
    expect(judgeWindow(tally({ attempts: 49, provider: 49 }), fifty).verdict).toBe('up');
    expect(judgeWindow(tally({ attempts: 50, provider: 1 }), fifty).verdict).toBe('down');
    expect(judgeWindow(tally({ attempts: 60, customer: 11, provider: 49 }), fifty).verdict).toBe('up');
  });

  it('may call an observed empty window down, but never one that nobody observed', () => {
    const strict = termsOf({ emptyWindow: 'down' });
    expect(judgeWindow(tally({}), strict).verdict).toBe('down');
    expect(judgeWindow(tally({ isObserved: false }), strict).verdict).toBe('unmeasured');
    expect(judgeWindow(tally({ attempts: 3, customer: 3 }), strict).verdict).toBe('up');
  });

  it('may leave the failures that do not count among the attempts', () => {
    const lenient = termsOf({ uncountedFailures: 'succeed' });
    expect(judgeWindow(tally({ attempts: 199, customer: 100, provider: 1 }), lenient)).toEqual({
      verdict: 'up',
      attempts: 199,
      failures: 1,
    });
  });

  it('may count other causes and another threshold, exactly', () => {
    const raw = termsOf({
      countedCauses: ['provider', 'unknown', 'customer', 'network'],
      threshold: '99.95',
    });
    expect(judgeWindow(tally({ attempts: 2_000, customer: 1 }), raw).verdict).toBe('up');
    expect(judgeWindow(tally({ attempts: 1_999, customer: 1 }), raw).verdict).toBe('down');
  });
});

describe('in any window', () => {
  // Few failures among many successes, so that both sides of the threshold are met often.
  const few = fc.nat(20);
  const windows = fc.record({
    ok: fc.nat(3_000),
    provider: few,
    unknown: few,
    customer: fc.nat(500),
    network: fc.nat(500),
  });
  const whole = ({
    ok,
    ...failures
  }: { ok: number } & Record<'provider' | 'unknown' | 'customer' | 'network', number>) =>
    tally({
      ...failures,
      attempts: ok + failures.provider + failures.unknown + failures.customer + failures.network,
    });

  it('one more success never takes it down', () => {
    fc.assert(
      fc.property(windows, fc.integer({ min: 1, max: 5_000 }), (window, more) => {
        fc.pre(judgeWindow(whole(window), terms).verdict !== 'down');
        expect(judgeWindow(whole({ ...window, ok: window.ok + more }), terms).verdict).not.toBe('down');
      }),
    );
  });

  it('moving a failure from the provider to the customer never takes it down', () => {
    fc.assert(
      fc.property(windows, (window) => {
        fc.pre(window.provider > 0 && judgeWindow(whole(window), terms).verdict !== 'down');
        const moved = { ...window, provider: window.provider - 1, customer: window.customer + 1 };
        expect(judgeWindow(whole(moved), terms).verdict).not.toBe('down');
      }),
    );
  });

  it('the verdict is the contract sentence in exact integers', () => {
    fc.assert(
      fc.property(windows, (window) => {
        const failed = window.provider + window.unknown;
        const down = failed > 0 && 100 * failed > window.ok + failed;
        expect(judgeWindow(whole(window), terms).verdict === 'down').toBe(down);
      }),
    );
  });
});
