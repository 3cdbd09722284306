import { describe, expect, it } from 'vitest';
import type { Silence } from '../../alerts/input.ts';
import { DEFAULT_SETTINGS } from '../../alerts/settings.ts';
import { AT_ONCE, decisionOf, NO_REMINDERS, Play, route } from './play.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, Scene, WINDOW_MS } from './scene.ts';

/** Plays a scene from one instant to another. */
function run(play: Play, scene: Scene, fromMs: number, toMs: number, stepMs = MINUTE_MS): Play {
  for (let nowMs = fromMs; nowMs <= toMs; nowMs += stepMs) play.decide(nowMs, scene.at(nowMs));
  return play;
}

/** The forecast is tested by itself; here it stays out of the way. */
const BY_COUNT = {
  ...AT_ONCE,
  near: { ...AT_ONCE.near, probability: 2, marginPoints: -100, clearMarginPoints: -100 },
};

describe('the steps of a month', () => {
  it('nine windows lost one by one say each step once, from mild to grave', () => {
    const scene = new Scene();
    const play = new Play({ settings: BY_COUNT });
    for (let i = 0; i < 9; i += 1) {
      const n = 4_000 + i * 6;
      scene.lose(n);
      run(play, scene, scene.windowAt(n), scene.windowAt(n + 6), WINDOW_MS);
    }
    expect(play.lines()).toEqual([
      'firing budget 99.9',
      'firing near 99.9',
      'firing last-window 99.9',
      'firing breached 99.9',
    ]);
    expect(play.said.map(({ alert }) => [alert.step, alert.figures?.lost])).toContainEqual(['breached', 9]);
  });

  for (const [lost, steps] of [
    [3, []],
    [4, ['budget']],
    [5, ['budget']],
    [6, ['near']],
    [7, ['near']],
    [8, ['last-window']],
    [9, ['breached']],
  ] as const) {
    it(`${lost} windows lost in one batch say ${steps.join() || 'nothing'}`, () => {
      const scene = new Scene().lose(4_000, lost);
      const play = new Play({ settings: BY_COUNT });
      play.decide(scene.windowAt(5_000), scene.at(scene.windowAt(5_000)));
      expect(play.said.map(({ alert }) => alert.step)).toEqual(steps);
    });
  }

  it('99.5 % and 99 % are lost after 99.9 %, each with its voucher at stake', () => {
    const scene = new Scene().lose(1_000, 90);
    const play = run(
      new Play({ settings: BY_COUNT }),
      scene,
      scene.windowAt(1_000),
      scene.windowAt(1_100),
      WINDOW_MS,
    );
    const breaches = play.of('breached');
    expect(breaches.map(({ alert }) => [alert.line, alert.figures?.lost])).toEqual([
      ['99.9', 9],
      ['99.5', 44],
      ['99', 87],
    ]);
    expect(breaches.map(({ alert }) => alert.figures?.voucherPercent)).toEqual([10, 20, 50]);
  });

  it('a verdict is said only when it has settled', () => {
    const scene = new Scene().lose(4_000, 4);
    const play = new Play({ settings: { ...BY_COUNT, steps: DEFAULT_SETTINGS.steps } });
    const endMs = scene.windowAt(4_004);
    play.decide(endMs, scene.at(endMs));
    expect(play.of('budget')).toEqual([]);
    play.decide(endMs + 14_999, scene.at(endMs + 14_999));
    expect(play.of('budget')).toEqual([]);
    play.decide(endMs + 15_000, scene.at(endMs + 15_000));
    expect(play.of('budget')).toHaveLength(1);
  });
});

describe('part months', () => {
  for (const { start, end, allowed } of [
    { start: '2026-11-10', end: '2026-11-12', allowed: 0 },
    { start: '2026-11-10', end: '2026-11-13', allowed: 1 },
    { start: '2026-11-10', end: '2026-11-16', allowed: 2 },
  ]) {
    const terms = { serviceStart: start, serviceEnd: end };
    it(`a service month that allows ${allowed} lost windows says nothing before the first`, () => {
      const scene = new Scene({ terms });
      expect(scene.at(scene.startMs).reading.budget.allowed).toBe(allowed);
      expect(run(new Play(), scene, scene.startMs, scene.startMs + DAY_MS, HOUR_MS).said).toEqual([]);
    });
  }

  it('where none may be lost the first lost window breaches', () => {
    const scene = new Scene({ terms: { serviceStart: '2026-11-10', serviceEnd: '2026-11-12' } }).lose(100);
    const play = run(new Play({ settings: BY_COUNT }), scene, scene.windowAt(99), scene.windowAt(103));
    expect(play.lines()).toEqual(['firing breached 99.9']);
  });

  it('where one may be lost the first leaves no window and the second breaches', () => {
    const scene = new Scene({ terms: { serviceStart: '2026-11-10', serviceEnd: '2026-11-13' } });
    scene.lose(100).lose(200);
    const play = run(
      new Play({ settings: BY_COUNT }),
      scene,
      scene.windowAt(99),
      scene.windowAt(203),
      WINDOW_MS,
    );
    expect(play.lines()).toEqual(['firing last-window 99.9', 'firing breached 99.9']);
  });

  it('where two may be lost the first is near, the second the last', () => {
    const scene = new Scene({ terms: { serviceStart: '2026-11-10', serviceEnd: '2026-11-16' } });
    scene.lose(100).lose(200);
    const play = run(
      new Play({ settings: BY_COUNT }),
      scene,
      scene.windowAt(99),
      scene.windowAt(203),
      WINDOW_MS,
    );
    expect(play.lines()).toEqual(['firing near 99.9', 'firing last-window 99.9']);
  });
});

describe('near', () => {
  it('fires by the forecast long before the count says so', () => {
    const scene = new Scene().lose(100, 3);
    const play = run(new Play(), scene, scene.windowAt(100), scene.windowAt(104));
    expect(play.of('near')[0]?.alert.figures).toMatchObject({ lost: 1, left: 7 });
  });

  it('oscillation between the two thresholds is one firing and one resolve', () => {
    const scene = new Scene().lose(6_000, 3);
    const play = new Play();
    const at = (nowMs: number, probability: number) => {
      const seen = scene.at(nowMs);
      const { projection } = seen.reading;
      const reading = {
        ...seen.reading,
        projection: {
          ...projection,
          availability: { ...projection.availability, expected: 0.9995 },
          breachProbability: { ...projection.breachProbability, '99.9': probability },
        },
      };
      play.decide(nowMs, { ...seen, reading });
    };
    const startMs = scene.windowAt(6_100);
    // Two hours around the threshold of 25 %, never below the clear one of 20 %; then calm.
    for (let m = 0; m < 120; m += 5) at(startMs + m * MINUTE_MS, m % 10 === 0 ? 0.26 : 0.2);
    for (let m = 120; m < 360; m += 5) at(startMs + m * MINUTE_MS, 0.1);
    expect(play.of('near').map(({ alert }) => alert.kind)).toEqual(['firing', 'resolved']);
    const [firing, resolved] = play.of('near');
    expect(firing?.alert.key).toBe(resolved?.alert.key);
    expect(resolved?.atMs).toBe(startMs + 180 * MINUTE_MS);
  });
});

describe('entry-failing', () => {
  const OUTAGE = { attempts: 100, failures: 60 };

  it('fires within the minute, long before the window ends, and says when the line falls', () => {
    const scene = new Scene().lose(1_000, 6);
    const startMs = scene.windowAt(2_000);
    scene.fail(startMs, startMs + 10 * MINUTE_MS, OUTAGE);
    const play = run(new Play({ settings: BY_COUNT }), scene, startMs - MINUTE_MS, startMs + 20_000, 20_000);
    const alert = play.of('entry-failing')[0]?.alert;
    expect(alert).toMatchObject({ severity: 'critical', kind: 'firing', sinceMs: startMs });
    // Two left: this window and the next may be lost, the end of the third loses the line.
    expect(alert?.fall).toEqual({ target: '99.9', atMs: startMs + 3 * WINDOW_MS, voucherPercent: 10 });
  });

  it('is resolved once, after five clear minutes', () => {
    const scene = new Scene();
    const startMs = scene.windowAt(2_000);
    scene.fail(startMs, startMs + 10 * MINUTE_MS, OUTAGE);
    const play = run(new Play(), scene, startMs - MINUTE_MS, startMs + HOUR_MS);
    expect(play.of('entry-failing').map(({ alert }) => alert.kind)).toEqual(['firing', 'resolved']);
    // The trailing five minutes are clean 15 minutes after the start, and must stay so for five.
    const resolvedAtMs = play.of('entry-failing')[1]?.atMs ?? 0;
    expect(resolvedAtMs - startMs).toBeGreaterThanOrEqual(19 * MINUTE_MS);
    expect(resolvedAtMs - startMs).toBeLessThanOrEqual(21 * MINUTE_MS);
  });

  it('nine counted failures are too few, ten are enough', () => {
    for (const [failures, times] of [
      [9, 0],
      [10, 1],
    ] as const) {
      const scene = new Scene();
      const startMs = scene.windowAt(2_000);
      scene.fail(startMs, startMs + MINUTE_MS, { attempts: 10, failures });
      const play = run(new Play(), scene, startMs, startMs + 4 * MINUTE_MS);
      expect(play.of('entry-failing')).toHaveLength(times);
    }
  });

  it('two lost windows in a row are enough however few failed', () => {
    const scene = new Scene();
    for (const n of [2_000, 2_001]) {
      const startMs = scene.windowAt(n);
      scene.fail(startMs, startMs + WINDOW_MS, { attempts: 1, failures: 0 });
      scene.fail(startMs, startMs + MINUTE_MS, { attempts: 1, failures: 1 });
    }
    const play = run(new Play(), scene, scene.windowAt(2_000), scene.windowAt(2_001) - 1, 30_000);
    expect(play.of('entry-failing')).toEqual([]);
    run(play, scene, scene.windowAt(2_001), scene.windowAt(2_001) + 4 * MINUTE_MS, 30_000);
    expect(play.of('entry-failing')).toHaveLength(1);
  });
});

describe('blind', () => {
  it('fires when no agent has been alive for three minutes, not before', () => {
    const scene = new Scene();
    const goneMs = scene.windowAt(2_000);
    scene.blind(goneMs, goneMs + HOUR_MS);
    const play = run(new Play(), scene, goneMs - 10 * MINUTE_MS, goneMs + 3 * MINUTE_MS - 1);
    play.decide(goneMs + 3 * MINUTE_MS - 1, scene.at(goneMs + 3 * MINUTE_MS - 1));
    expect(play.said).toEqual([]);
    play.decide(goneMs + 3 * MINUTE_MS, scene.at(goneMs + 3 * MINUTE_MS));
    expect(play.lines()).toEqual(['firing blind']);
    expect(play.said[0]?.alert.sinceMs).toBe(goneMs);
  });

  it('is silent about a service that nobody ever watched, and right after the daemon has started', () => {
    const scene = new Scene();
    const goneMs = scene.windowAt(2_000);
    scene.blind(scene.startMs, goneMs + HOUR_MS);
    expect(run(new Play(), scene, goneMs, goneMs + HOUR_MS, WINDOW_MS).said).toEqual([]);

    const other = new Scene();
    other.blind(goneMs, goneMs + HOUR_MS);
    const play = run(new Play(), other, goneMs - MINUTE_MS, goneMs);
    const startedMs = goneMs + 30 * MINUTE_MS;
    const heard = { listeningSinceMs: startedMs };
    play.decide(startedMs + 3 * MINUTE_MS - 1, other.at(startedMs + 3 * MINUTE_MS - 1, heard));
    expect(play.said).toEqual([]);
    play.decide(startedMs + 3 * MINUTE_MS, other.at(startedMs + 3 * MINUTE_MS, heard));
    expect(play.lines()).toEqual(['firing blind']);
  });

  it('fires when two of the last twelve windows were not seen, although agents are alive again', () => {
    const scene = new Scene();
    for (const [n, times] of [
      [1, 0],
      [2, 1],
    ] as const) {
      const one = new Scene();
      // Seen again just in time each time: no single silence lasts three minutes past its window.
      one.blind(one.windowAt(2_000), one.windowAt(2_000 + n));
      const play = new Play();
      play.decide(one.windowAt(1_990), one.at(one.windowAt(1_990)));
      const nowMs = one.windowAt(2_004) + 4 * MINUTE_MS;
      play.decide(nowMs, one.at(nowMs));
      expect(play.of('blind')).toHaveLength(times);
    }
    expect(scene.at(scene.windowAt(10)).sight.recent).toHaveLength(10);
  });

  it('while nobody watches, a failing entry neither resolves nor reminds, and goes on afterwards', () => {
    const scene = new Scene();
    const startMs = scene.windowAt(2_000);
    scene.fail(startMs, startMs + 10 * MINUTE_MS, { attempts: 100, failures: 60 });
    scene.blind(startMs + 10 * MINUTE_MS, startMs + 130 * MINUTE_MS);
    const play = new Play({ settings: DEFAULT_SETTINGS });
    run(play, scene, startMs - WINDOW_MS, startMs + 125 * MINUTE_MS, WINDOW_MS);
    expect(play.of('entry-failing').map(({ alert }) => alert.kind)).toEqual(['firing']);
    run(play, scene, startMs + 130 * MINUTE_MS, startMs + 150 * MINUTE_MS);
    expect(play.of('entry-failing').map(({ alert }) => alert.kind)).toEqual(['firing', 'resolved']);
  });
});

describe('what ends an episode', () => {
  it('a breach is resolved by an exclusion, and says so; the lower steps speak for themselves', () => {
    const scene = new Scene().lose(4_000, 9);
    const play = run(
      new Play({ settings: BY_COUNT }),
      scene,
      scene.windowAt(4_000),
      scene.windowAt(4_012),
      WINDOW_MS,
    );
    scene.exclude(scene.windowAt(4_000), scene.windowAt(4_001));
    play.said.length = 0;
    play.decide(scene.windowAt(4_020), scene.at(scene.windowAt(4_020)));
    expect(play.lines()).toContain('resolved breached 99.9');
    expect(play.of('breached')[0]?.alert.resolvedBecause).toBe('corrected');
    // Eight are still lost: the last window was said before and is not said again.
    expect(play.of('last-window')).toEqual([]);
  });

  it('a month that ends resolves its steps once, and says so', () => {
    const scene = new Scene().lose(4_000, 9);
    const play = run(
      new Play({ settings: BY_COUNT }),
      scene,
      scene.windowAt(4_000),
      scene.windowAt(4_012),
      WINDOW_MS,
    );
    run(play, scene, scene.endMs - HOUR_MS, scene.endMs + HOUR_MS, WINDOW_MS);
    const ends = play.said.filter(({ alert }) => alert.kind === 'resolved' && alert.month !== '');
    expect(ends.map(({ alert }) => [alert.step, alert.resolvedBecause, alert.figures?.month])).toEqual([
      ['breached', 'month-ended', '2026-11'],
      ['budget', 'month-ended', '2026-11'],
      ['near', 'month-ended', '2026-11'],
      ['last-window', 'month-ended', '2026-11'],
    ]);
    expect(ends.every(({ alert }) => alert.figures?.lost === 9)).toBe(true);
  });

  it('a breach by the very last window of a month is said after its end, and ends with it', () => {
    const scene = new Scene().lose(4_000, 8);
    scene.lose(scene.windows - 1);
    const play = new Play({ settings: NO_REMINDERS });
    run(play, scene, scene.endMs - 10 * MINUTE_MS, scene.endMs + 10 * MINUTE_MS, 30_000);
    expect(play.of('breached').map(({ alert }) => [alert.kind, alert.month, alert.resolvedBecause])).toEqual([
      ['firing', '2026-11', null],
      ['resolved', '2026-11', 'month-ended'],
    ]);
  });
});

describe('the end of the service period', () => {
  it('ends the last month, blames nobody for not watching, and leaves the claim', () => {
    const terms = { serviceStart: '2026-11-01', serviceEnd: '2026-11-10' };
    const scene = new Scene({ terms, extraDays: 0 }).lose(1_000, 4);
    const play = run(new Play(), scene, scene.windowAt(1_000), scene.windowAt(1_006));
    for (let days = 0; days < 65; days += 1) {
      const nowMs = scene.endMs + days * DAY_MS + HOUR_MS;
      play.decide(nowMs, scene.after(nowMs));
    }
    const ofMonth = play.said.filter(({ alert }) => alert.month !== '' && alert.step !== 'claim');
    const keys = (of: typeof ofMonth) => of.map(({ alert }) => alert.key).sort();
    expect(keys(ofMonth.filter(({ alert }) => alert.resolvedBecause === 'month-ended'))).toEqual(
      keys(ofMonth.filter(({ alert }) => alert.kind === 'firing')),
    );
    expect(play.lines().slice(-4)).toEqual([
      'firing claim',
      'reminder claim',
      'reminder claim',
      'resolved claim',
    ]);
    expect(play.of('blind')).toEqual([]);
  });
});

describe('claim', () => {
  const days = (date: string) => Date.parse(`${date}T00:00:00+08:00`);

  it('is said when the window opens, 14 and 3 days before the deadline, and ends with it', () => {
    const scene = new Scene({ extraDays: 70 }).lose(4_000, 9);
    const play = run(new Play(), scene, scene.endMs - HOUR_MS, scene.endMs + 65 * DAY_MS, DAY_MS);
    const { opens, deadline } = scene.read('2026-11', scene.endMs).claim;
    expect([opens, deadline]).toEqual(['2026-12-08', '2027-01-29']);
    expect(
      play.of('claim').map(({ alert, atMs }) => [alert.kind, atMs >= days(opens), alert.claim?.daysLeft]),
    ).toEqual([
      ['firing', true, 53],
      ['reminder', true, 14],
      ['reminder', true, 3],
      ['resolved', true, 0],
    ]);
    expect(play.of('claim').at(-1)?.alert.resolvedBecause).toBe('deadline-passed');
  });

  it('is not said for a month that met its target', () => {
    const scene = new Scene({ extraDays: 70 }).lose(4_000, 8);
    const play = run(new Play(), scene, scene.endMs - HOUR_MS, scene.endMs + 65 * DAY_MS, DAY_MS);
    expect(play.of('claim')).toEqual([]);
  });

  it('once acknowledged it is not said again', () => {
    const scene = new Scene({ extraDays: 70 }).lose(4_000, 9);
    const play = run(new Play(), scene, scene.endMs - HOUR_MS, scene.endMs + 20 * DAY_MS, DAY_MS);
    const key = play.of('claim')[0]?.alert.key ?? '';
    play.wishes = { acknowledgements: new Map([[key, 'mei']]) };
    run(play, scene, scene.endMs + 20 * DAY_MS, scene.endMs + 65 * DAY_MS, DAY_MS);
    expect(play.of('claim').map(({ alert }) => alert.kind)).toEqual(['firing', 'resolved']);
  });
});

describe('people', () => {
  const silence = (untilMs: number, wishes: Partial<Silence> = {}): Silence => ({
    id: 's1',
    service: 'acme',
    step: '*',
    fromMs: 0,
    untilMs,
    by: null,
    author: 'mei',
    reason: 'maintenance',
    ...wishes,
  });

  it('an alert still firing when a silence ends is said then, once', () => {
    const scene = new Scene().lose(4_000, 9);
    const endMs = scene.windowAt(4_050);
    const play = new Play({ settings: BY_COUNT, silences: [silence(endMs)] });
    run(play, scene, scene.windowAt(4_000), endMs - 1, WINDOW_MS);
    expect(play.said).toEqual([]);
    run(play, scene, endMs, endMs + HOUR_MS, WINDOW_MS);
    expect(play.lines()).toEqual(['firing breached 99.9']);
  });

  it('a resolve is sent through a silence to whoever was told, and to nobody else', () => {
    const scene = new Scene().lose(4_000, 9);
    const play = run(
      new Play({ settings: BY_COUNT }),
      scene,
      scene.windowAt(4_000),
      scene.windowAt(4_012),
      WINDOW_MS,
    );
    scene.exclude(scene.windowAt(4_000), scene.windowAt(4_010));
    play.wishes = {
      settings: BY_COUNT,
      silences: [silence(scene.windowAt(9_000))],
      routes: [route('ops'), route('later')],
    };
    play.said.length = 0;
    const decided = play.look(scene.windowAt(4_020), scene.at(scene.windowAt(4_020)));
    expect(decided.announcements.map(({ alert, receiver }) => [alert.kind, receiver])).toContainEqual([
      'resolved',
      'ops',
    ]);
    expect(decided.announcements.filter(({ receiver }) => receiver === 'later')).toEqual([]);
  });

  it('what fires and ends within a silence is never mentioned', () => {
    const scene = new Scene();
    const startMs = scene.windowAt(2_000);
    scene.fail(startMs, startMs + 5 * MINUTE_MS, { attempts: 100, failures: 60 });
    const play = new Play({ silences: [silence(startMs + 2 * HOUR_MS, { step: 'entry-failing' })] });
    run(play, scene, startMs, startMs + 3 * HOUR_MS, WINDOW_MS);
    expect(play.of('entry-failing')).toEqual([]);
  });

  it('reminders repeat at their interval until somebody acknowledges', () => {
    const scene = new Scene();
    const startMs = scene.windowAt(2_000);
    scene.fail(startMs, startMs + 6 * HOUR_MS, { attempts: 100, failures: 60 });
    const play = new Play({ settings: DEFAULT_SETTINGS });
    run(play, scene, startMs, startMs + 150 * MINUTE_MS, WINDOW_MS);
    expect(play.of('entry-failing').map(({ alert }) => [alert.kind, alert.reminder])).toEqual([
      ['firing', 0],
      ['reminder', 1],
      ['reminder', 2],
    ]);
    const key = play.of('entry-failing')[0]?.alert.key ?? '';
    play.wishes = {
      settings: DEFAULT_SETTINGS,
      acknowledgements: new Map([[key, 'mei']]),
      routes: [route('ops', { acknowledgements: true })],
    };
    run(play, scene, startMs + 150 * MINUTE_MS, startMs + 8 * HOUR_MS, WINDOW_MS);
    expect(
      play
        .of('entry-failing')
        .slice(3)
        .map(({ alert }) => [alert.kind, alert.acknowledgedBy]),
    ).toEqual([
      ['acknowledged', 'mei'],
      ['resolved', 'mei'],
    ]);
  });

  it('a receiver added later hears what still fires; one that wants only the grave hears only that', () => {
    const scene = new Scene().lose(4_000, 4);
    const play = run(
      new Play({ settings: BY_COUNT }),
      scene,
      scene.windowAt(4_000),
      scene.windowAt(4_006),
      WINDOW_MS,
    );
    play.wishes = {
      settings: BY_COUNT,
      routes: [route('ops'), route('pager', { minSeverity: 'critical' }), route('chat')],
    };
    const nowMs = scene.windowAt(4_020);
    const decided = play.look(nowMs, scene.at(nowMs));
    expect(decided.announcements.map(({ alert, receiver }) => [alert.step, receiver])).toEqual([
      ['budget', 'chat'],
    ]);
  });

  it('a step that is switched off resolves what it had said', () => {
    const scene = new Scene().lose(4_000, 4);
    const play = run(
      new Play({ settings: BY_COUNT }),
      scene,
      scene.windowAt(4_000),
      scene.windowAt(4_006),
      WINDOW_MS,
    );
    const budget = { ...BY_COUNT.steps.budget, enabled: false };
    play.wishes = { settings: { ...BY_COUNT, steps: { ...BY_COUNT.steps, budget } } };
    const nowMs = scene.windowAt(4_020);
    const { announcements, decisions } = play.look(nowMs, scene.at(nowMs));
    expect(announcements.map(({ alert }) => [alert.step, alert.kind, alert.resolvedBecause])).toEqual([
      ['budget', 'resolved', 'switched-off'],
    ]);
    expect(decisionOf(decisions, 'budget', '99.9').verdict).toBe('resolved');
  });
});
