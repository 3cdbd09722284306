import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Step } from '../../alerts/alert.ts';
import type { Circumstances } from '../../alerts/input.ts';
import { DEFAULT_SETTINGS } from '../../alerts/settings.ts';
import { isBlind } from '../../alerts/sight.ts';
import { type Episode, readState } from '../../alerts/state.ts';
import { Play, type Said } from './play.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, Scene, WINDOW_MS } from './scene.ts';

/** A service month of some days and its incidents. */
interface Story {
  readonly days: number;
  readonly incidents: readonly Incident[];
}

/** Windows lost one after another; perhaps nobody watches for a while after them; perhaps they are excluded later. */
interface Incident {
  /** Share of the month at which it begins. */
  readonly at: number;
  readonly windows: number;
  readonly thenBlindMinutes: number;
  readonly excludedAfterMinutes: number | null;
}

const incident: fc.Arbitrary<Incident> = fc.record({
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  windows: fc.integer({ min: 0, max: 7 }),
  thenBlindMinutes: fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 150 })),
  excludedAfterMinutes: fc.option(fc.integer({ min: 0, max: 400 }), { freq: 1 }),
});

const storyOf = (days: fc.Arbitrary<number>): fc.Arbitrary<Story> =>
  fc.record({ days, incidents: fc.array(incident, { minLength: 1, maxLength: 5 }) });

/** Small months are judged fast, so there are many of them; whole ones are few. */
const MONTHS = [
  { name: 'part months', story: storyOf(fc.constantFrom(1, 2, 4, 7)), runs: 30 },
  { name: 'whole months', story: storyOf(fc.constant(30)), runs: 3 },
];

interface Telling {
  readonly scene: Scene;
  readonly said: readonly Said[];
  readonly looks: readonly Look[];
}

/** One evaluation. */
interface Look {
  readonly atMs: number;
  /** Nobody was watching. */
  readonly isBlind: boolean;
  /** Windows lost in the month in progress; 0 after the last one. */
  readonly lost: number;
  /** The window in progress is lost already, which the forecast knows before the books do. */
  readonly isLosing: boolean;
  /** '' after the last month. */
  readonly month: string;
  readonly before: readonly Episode[];
  readonly after: readonly Episode[];
}

/** Lives through a story, looking every five minutes around its events and every eight hours otherwise. */
function tell(story: Story, options: { throughText?: boolean } = {}): Telling {
  const serviceEnd = new Date(Date.UTC(2026, 10, story.days)).toISOString().slice(0, 10);
  const scene = new Scene({ terms: { serviceStart: '2026-11-01' }, extraDays: 1 });
  const partial = new Scene({ terms: { serviceStart: '2026-11-01', serviceEnd }, extraDays: 0 });
  // The last month goes on for a day in a service without an end, so that its end is seen from the next one.
  const monthMs = story.days * DAY_MS;
  const subject = story.days === 30 ? scene : partial;
  const at = (position: number) => subject.startMs + Math.floor((position * monthMs) / WINDOW_MS) * WINDOW_MS;
  const looks = new Set<number>();
  const around = (fromMs: number, toMs: number) => {
    for (let ms = fromMs - 10 * MINUTE_MS; ms <= toMs + 20 * MINUTE_MS; ms += WINDOW_MS) {
      looks.add(ms);
      looks.add(ms + 20_000);
    }
    for (let ms = toMs + 30 * MINUTE_MS; ms <= toMs + 95 * MINUTE_MS; ms += 15 * MINUTE_MS) looks.add(ms);
  };
  const endMs = subject.startMs + monthMs;
  const exclusions: { fromMs: number; toMs: number; enteredAtMs: number }[] = [];
  for (const one of story.incidents) {
    const fromMs = at(one.at);
    const toMs = Math.min(endMs, fromMs + one.windows * WINDOW_MS);
    const seenAgainMs = Math.min(endMs, toMs + one.thenBlindMinutes * MINUTE_MS);
    subject.fail(fromMs, toMs, { attempts: 100, failures: 50 });
    subject.blind(toMs, seenAgainMs);
    around(fromMs, seenAgainMs);
    if (one.excludedAfterMinutes === null) continue;
    const enteredAtMs = toMs + one.excludedAfterMinutes * MINUTE_MS;
    exclusions.push({ fromMs, toMs, enteredAtMs });
    around(enteredAtMs, enteredAtMs);
  }
  for (let ms = subject.startMs; ms < endMs; ms += 8 * HOUR_MS) looks.add(ms);
  const lastMs = story.days === 30 ? endMs + 3 * HOUR_MS : endMs - 1;
  if (story.days === 30) around(endMs, endMs);

  const play = new Play();
  const told: Look[] = [];
  const entered = new Set<number>();
  for (const nowMs of [...looks].sort((a, b) => a - b)) {
    if (nowMs < subject.startMs || nowMs > lastMs) continue;
    for (const [i, one] of exclusions.entries()) {
      if (one.enteredAtMs > nowMs || entered.has(i)) continue;
      entered.add(i);
      if (one.fromMs < one.toMs) subject.exclude(one.fromMs, one.toMs);
    }
    if (options.throughText) play.state = reread(play);
    told.push(looked(play, nowMs, subject.at(nowMs)));
  }
  // Then the service ends, and with the last claim's deadline everything that could be said of it.
  for (const nowMs of [
    lastMs,
    endMs,
    endMs + 20_000,
    endMs + HOUR_MS,
    endMs + 20 * DAY_MS,
    endMs + 70 * DAY_MS,
  ]) {
    if (options.throughText) play.state = reread(play);
    told.push(looked(play, nowMs, subject.after(nowMs)));
  }
  return { scene: subject, said: play.said, looks: told };
}

function looked(play: Play, nowMs: number, seen: Circumstances): Look {
  const { watchedSinceMs, episodes } = play.state;
  play.decide(nowMs, seen);
  return {
    atMs: nowMs,
    isBlind:
      seen.reading !== null && isBlind(seen.sight, DEFAULT_SETTINGS.blind.silentMs, nowMs, watchedSinceMs),
    lost: seen.reading?.budget.lost ?? 0,
    isLosing: seen.reading?.openWindow?.alreadyLost ?? false,
    month: seen.reading?.month ?? '',
    before: episodes,
    after: play.state.episodes,
  };
}

/** As after a restart: what the store keeps is text. */
function reread(play: Play): Play['state'] {
  const state = readState(JSON.parse(JSON.stringify(play.state)));
  if (state === 'unreadable') throw new Error('a state that was written cannot be read');
  return state;
}

/** The steps of the month, from mild to grave. */
const LADDER: readonly Step[] = ['budget', 'near', 'last-window', 'breached'];

const byKey = (said: readonly Said[]): Said[][] => {
  const groups = new Map<string, Said[]>();
  for (const one of said) groups.set(one.alert.key, [...(groups.get(one.alert.key) ?? []), one]);
  return [...groups.values()];
};

/** What must be true of every story; each throws when it is not. */
const CLAIMS: Readonly<Record<string, (telling: Telling, story: Story) => void>> = {
  'each announced episode gets exactly one resolve'({ said }) {
    for (const episode of byKey(said).filter(([first]) => first?.alert.step !== 'claim')) {
      expect(episode.map(({ alert }) => alert.kind)).toEqual(['firing', 'resolved']);
    }
    // A claim is said again as its deadline comes near.
    for (const claim of byKey(said).filter(([first]) => first?.alert.step === 'claim')) {
      const kinds = claim.map(({ alert }) => alert.kind);
      expect([kinds.at(0), kinds.at(-1)]).toEqual(['firing', 'resolved']);
      expect(kinds.filter((kind) => kind === 'resolved')).toHaveLength(1);
    }
  },

  'a step begins anew only after its last episode has ended'({ said }) {
    const open = new Set<string>();
    for (const { alert } of said) {
      const watch = [alert.step, alert.month, alert.line].join();
      expect(open.has(watch)).toBe(alert.kind === 'resolved');
      if (alert.kind === 'resolved') open.delete(watch);
      else if (alert.kind === 'firing') open.add(watch);
    }
  },

  'no step about the month repeats without a change'({ said, looks }) {
    const ended = new Map<string, number>();
    for (const { alert, atMs } of said.filter((one) => LADDER.includes(one.alert.step))) {
      const watch = [alert.step, alert.month, alert.line].join();
      const endedAtMs = ended.get(watch);
      if (alert.kind === 'resolved') ended.set(watch, atMs);
      if (alert.kind !== 'firing' || endedAtMs === undefined) continue;
      const between = looks.filter((look) => look.atMs >= endedAtMs && look.atMs <= atMs);
      expect(between.some(({ lost, isLosing }) => isLosing || lost !== between[0]?.lost)).toBe(true);
    }
  },

  'no SLA step changes while blind'({ said, looks }) {
    const ofFacts = (episodes: readonly Episode[]) =>
      episodes.filter(({ step }) => step !== 'blind' && step !== 'claim');
    for (const look of looks.filter((one) => one.isBlind)) {
      expect(ofFacts(look.after)).toEqual(ofFacts(look.before));
    }
    const blindAt = new Set(looks.filter((look) => look.isBlind).map((look) => look.atMs));
    const whileBlind = said.filter(({ atMs }) => blindAt.has(atMs)).map(({ alert }) => alert.step);
    expect(whileBlind.filter((step) => step !== 'blind' && step !== 'claim')).toEqual([]);
  },

  'near always precedes breached, unless one batch carried both'({ said, looks, scene }) {
    const { allowed } = scene.at(scene.startMs).reading.budget;
    for (const { alert, atMs } of said) {
      if (alert.step !== 'breached' || alert.line !== '99.9' || alert.kind !== 'firing') continue;
      // It fires in silence when a higher step fires at the same time.
      const isWarned = looks.some(
        (look) =>
          look.atMs < atMs &&
          look.after.some(
            (one) => one.step === 'near' && one.month === alert.month && one.firedAtMs !== null,
          ),
      );
      // Seen twice with something lost and two windows or fewer left, long enough to settle: time to warn.
      const couldWarn = looks.some((look, i) => {
        const last = looks[i - 1];
        return (
          last !== undefined &&
          look.atMs < atMs &&
          look.month === alert.month &&
          !look.isBlind &&
          !last.isBlind &&
          look.lost >= Math.max(1, allowed - 2) &&
          look.lost <= allowed &&
          last.lost === look.lost &&
          look.atMs - last.atMs >= 15_000
        );
      });
      expect(isWarned || !couldWarn).toBe(true);
    }
  },

  'a restart before every single decision changes nothing'({ said }, story) {
    expect(tell(story, { throughText: true }).said).toEqual(said);
  },

  'the end of a month ends everything that was said of it but its claim'({ scene, looks }) {
    const monthEndMs = Date.parse(scene.at(scene.startMs).reading.period.end);
    // Something may be breached only now; that is said, and over with its settling.
    for (const look of looks.filter(({ atMs, isBlind }) => atMs >= monthEndMs + 20_000 && !isBlind)) {
      const open = look.after.filter(
        ({ month, step, state }) => month === '2026-11' && step !== 'claim' && state !== 'resolved',
      );
      expect(open).toEqual([]);
    }
  },
};

describe.each(MONTHS)('whatever happens, in $name', ({ story, runs }) => {
  it('every claim holds', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(story, (one) => {
        const telling = tell(one);
        for (const [claim, holds] of Object.entries(CLAIMS)) {
          try {
            holds(telling, one);
          } catch (error) {
            throw new Error(`not true: ${claim}`, { cause: error });
          }
        }
      }),
      { numRuns: runs },
    );
  });
});
