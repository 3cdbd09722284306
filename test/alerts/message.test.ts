import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Alert } from '../../alerts/alert.ts';
import { FULL_ITEMS, type Item, render } from '../../alerts/message.ts';
import { bothTimes, clockTime, span, startOfDate } from '../../alerts/times.ts';
import { whereOf } from '../../alerts/where.ts';
import { firstLine, percent } from '../../alerts/words.ts';
import { AT_ONCE, Play } from './play.ts';
import { alertOf } from './samples.ts';
import { Scene } from './scene.ts';

const DECIDED_MS = Date.parse('2026-11-23T06:23:00Z');
const OPTIONS = {
  nowMs: DECIDED_MS + 4_000,
  externalUrl: 'https://roomwatch.example.org',
  runbookUrl: 'https://wiki.example.org/rtc',
  pictureCid: null,
};

const item = (alert: Partial<Alert> = {}, wishes: Partial<Item> = {}): Item => ({
  alert: alertOf(alert),
  wasUndelivered: false,
  insteadOf: null,
  ...wishes,
});

describe('a message', () => {
  it('says what is lost if nothing changes, what is left, where, since when and where to look', () => {
    const { subject, firstLine: first, text } = render([item()], OPTIONS);
    expect(subject).toBe('[critical] acme: room entry is failing');
    expect(first).toBe(
      'acme: If this continues, 99.9 % is lost at 14:35 UTC+8 (in 11 minutes): 2 of 8 windows left.',
    );
    expect(text).toBe(`If this continues, 99.9 % is lost at 14:35 UTC+8 (in 11 minutes): 2 of 8 windows left.

[critical] acme: room entry is failing

Lost     6 windows of 2026-11 (30 minutes), 8 are allowed; availability at most 99.930 %
Left     2 windows before 99.9 % (voucher 10 %), 37 windows before 99.5 % (voucher 20 %), 80 windows before 99 % (voucher 50 %)
Outlook  99.912 % expected at the end of the month; 41 % probability of missing the target
Now      180 of 300 counted attempts failed in the window in progress, which is lost; 180 of 500 in the last five minutes
Where    region ap-guangzhou 80 %, ap-shanghai 20 %; platform web-v5 100 %; cause unknown 100 %; code 5400/-10015 95 %
Since    2026-11-23 06:20 UTC (14:20 UTC+8), 3 minutes ago
Look     https://roomwatch.example.org/#/acme/2026-11
Runbook  https://wiki.example.org/rtc

-- 
Observed by roomwatch from the entries it was told of; the provider keeps its own record.
`);
  });

  it('under terms that sum error rates speaks of window equivalents, which are what is lost there', () => {
    const scene = new Scene({ terms: { measure: 'mean-window-error' } });
    // Half of the entries fail in each: two windows spend one equivalent, and 8.64 may be spent.
    const texts = [8, 16, 18].map((count) => {
      const play = new Play({ settings: AT_ONCE });
      scene.lose(1_000, count);
      play.decide(scene.windowAt(1_000 + count), scene.at(scene.windowAt(1_000 + count)));
      const items = play.said.filter(({ alert }) => alert.step !== 'entry-failing');
      return items.map(({ alert }) => render([item(alert)], { ...OPTIONS, nowMs: alert.decidedAtMs }).text);
    });
    const all = texts.flat();
    expect(all.join()).toMatch(/: \d window equivalents left before 99\.9 %/);
    expect(all.join()).toContain('less than one window equivalent is left before 99.9 %');
    expect(all.join()).toMatch(/99\.9 % is lost for 2026-11: \d+ window equivalents lost/);
    for (const text of all)
      expect(text).not.toMatch(/\d windows? (of|lost|left|before)|which is lost|minutes\),/);
  });

  it('that comes late says so, and promises nothing that is over', () => {
    const { text } = render([item()], { ...OPTIONS, nowMs: DECIDED_MS + 30 * 60_000 });
    expect(text).toContain('Had it continued, 99.9 % was lost at 14:35 UTC+8.');
    expect(text).toContain('Late     decided 2026-11-23 06:23 UTC (14:23 UTC+8), delivered only now');
  });

  it('for a receiver that was down names both the firing and its end', () => {
    const over = {
      kind: 'resolved',
      resolvedAtMs: DECIDED_MS,
      resolvedBecause: 'cleared',
      entry: null,
    } as const;
    const { subject, text } = render([item(over, { wasUndelivered: true })], OPTIONS);
    expect(subject).toBe('[fired and resolved] acme: room entry works again');
    expect(text).toMatch(/^Resolved after 2 minutes: it is no longer so\. 2026-11 stands at 99\.930 %/);
    expect(text).toContain('Fired 2026-11-23 06:21 UTC (14:21 UTC+8), resolved 2026-11-23 06:23 UTC');
  });

  it('about many leads with the gravest that fires and names what it does not tell', () => {
    const many = Array.from({ length: FULL_ITEMS + 5 }, (_, i) =>
      item({ service: `s${i}`, key: `s${i}:-:near:99.9:1`, step: 'near', line: '99.9', severity: 'warning' }),
    );
    const { subject, text } = render([...many, item()], OPTIONS);
    expect(subject).toBe('[26 firing] 26 services: room entry is failing');
    expect(text.startsWith('If this continues')).toBe(true);
    expect(text).toContain('And:\n[warning] s');
    expect(text.split('\n').filter((line) => line.startsWith('[warning]'))).toHaveLength(25);
  });

  it('is one line in its subject and harmless in its HTML, whatever the labels say', () => {
    const label = fc.string({ unit: 'binary', maxLength: 80 });
    fc.assert(
      fc.property(label, label, (name, author) => {
        const shares = [{ name, failures: 1 }];
        const where = {
          sinceMs: DECIDED_MS,
          failures: 1,
          regions: shares,
          platforms: shares,
          causes: shares,
          codes: shares,
        };
        const hostile = item({ where, acknowledgedBy: author }, { insteadOf: name });
        const { subject, html, text } = render([hostile], OPTIONS);
        expect(subject).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
        expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/u);
        const tags = html.match(/<\/?[a-z!]+/gi) ?? [];
        const known = /^<\/?(!doctype|html|head|meta|style|body|div|p|a|ul|li|img)$/i;
        expect(tags.filter((tag) => !known.test(tag))).toEqual([]);
      }),
    );
  });
});

describe('the first line', () => {
  const of = (alert: Partial<Alert>) => firstLine(alertOf(alert), OPTIONS.nowMs);
  const calm = { entry: null, fall: null } as const;

  it.each([
    [
      { step: 'near', line: '99.9', ...calm },
      '6 of 8 allowed windows are lost, 2 windows left until 2026-12-01 00:00 UTC+8; expected 99.912 % at the end, 41 % probability of missing 99.9 %.',
    ],
    [
      { step: 'budget', line: '99.9', ...calm },
      '6 of 8 allowed windows are lost, 2 windows left until 2026-12-01 00:00 UTC+8.',
    ],
    [
      { step: 'breached', line: '99.9', month: '2026-11' },
      '99.9 % is lost for 2026-11: 6 windows lost, availability at most 99.930 %; the voucher is 10 % of the monthly fee.',
    ],
    [{ fall: null }, 'If this continues to the end of the month, 99.9 % still holds: 2 of 8 windows left.'],
    [
      {
        step: 'blind',
        ...calm,
        blind: { cause: 'agents', lastAliveAtMs: DECIDED_MS - 180_000, unseenWindows: 0, recentWindows: 12 },
      },
      'No agent of acme has been alive since 2026-11-23 06:20 UTC (14:20 UTC+8) (3 minutes); alerts on its service level neither fire nor resolve until one is back.',
    ],
    [
      {
        step: 'blind',
        ...calm,
        blind: { cause: 'agents', lastAliveAtMs: DECIDED_MS, unseenWindows: 3, recentWindows: 12 },
      },
      '3 of the last 12 windows of acme were seen by no agent.',
    ],
    [
      { kind: 'acknowledged', acknowledgedBy: 'mei' },
      'Acknowledged by mei: no reminders until it is resolved.',
    ],
    [{ test: true }, 'This is a test: nothing is wrong, and this receiver can be reached.'],
  ] as [Partial<Alert>, string][])('of %j is a sentence', (alert, sentence) => {
    expect(of(alert)).toBe(sentence);
  });
});

describe('numbers and times', () => {
  it('percentages are cut, never rounded up to a better one', () => {
    expect(percent(0.99932)).toBe('99.932 %');
    expect(percent(0.9989999)).toBe('99.899 %');
    expect(percent(1)).toBe('100.000 %');
    expect(percent(0.309, 0)).toBe('30 %');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000 }), (units) => {
        expect(percent(units / 100_000)).toBe(`${(units / 1_000).toFixed(3)} %`);
      }),
    );
  });

  it('times are in UTC and in the zone of the contract, whatever that is', () => {
    expect(clockTime(DECIDED_MS, '+08:00')).toBe('14:23 UTC+8');
    expect(clockTime(DECIDED_MS, '-03:30')).toBe('02:53 UTC-3:30');
    expect(bothTimes(DECIDED_MS, 'UTC')).toBe('2026-11-23 06:23 UTC');
    expect(bothTimes(DECIDED_MS, 'America/Los_Angeles')).toBe(
      '2026-11-23 06:23 UTC (2026-11-22 22:23 UTC-8)',
    );
    // The day of the change to summer time has an offset of its own after it.
    expect(clockTime(Date.parse('2026-03-29T01:30:00Z'), 'Europe/Berlin')).toBe('03:30 UTC+2');
  });

  it.each([
    [59_999, 'less than a minute'],
    [60_000, '1 minute'],
    [119 * 60_000, '119 minutes'],
    [120 * 60_000, '2 h 00 min'],
    [185 * 60_000, '3 h 05 min'],
    [48 * 3_600_000, '2 days'],
  ])('%i ms is %s', (ms, text) => {
    expect(span(ms)).toBe(text);
  });

  it("a contract date begins at midnight in the contract's zone", () => {
    expect(startOfDate('2026-12-08', '+08:00')).toBe(Date.parse('2026-12-07T16:00:00Z'));
    expect(startOfDate('2026-03-29', 'Europe/Berlin', 1)).toBe(Date.parse('2026-03-29T22:00:00Z'));
  });
});

describe('where', () => {
  const origin = (region: string, code: string, n: number) => ({
    origin: { region, platform: 'web-v5', cause: 'unknown', code },
    n,
  });

  it('adds failures up by each part and keeps the three largest', () => {
    const where = whereOf(
      [
        origin('a', '1', 5),
        origin('b', '1', 3),
        origin('a', '2', 2),
        origin('c', '3', 1),
        origin('d', '4', 1),
      ],
      DECIDED_MS,
    );
    expect(where).toMatchObject({
      failures: 12,
      regions: [
        { name: 'a', failures: 7 },
        { name: 'b', failures: 3 },
        { name: 'c', failures: 1 },
      ],
      platforms: [{ name: 'web-v5', failures: 12 }],
    });
  });

  it('is nothing without failures', () => {
    expect(whereOf([], DECIDED_MS)).toBeNull();
  });
});
