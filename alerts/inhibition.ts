import type { Step } from './alert.ts';
import type { Silence } from './input.ts';
import type { Episode } from './state.ts';

/** The steps of one line of one month, from mild to grave; each says all that the ones before it say. */
const LADDER: readonly Step[] = ['budget', 'near', 'last-window', 'breached'];

/** Whether a higher step of the same month and line fires: then the lower one has nothing to add. */
export function isInhibited(episode: Episode, all: readonly Episode[]): boolean {
  const rung = LADDER.indexOf(episode.step);
  if (rung < 0) return false;
  return all.some(
    (other) =>
      other.state === 'firing' &&
      other.month === episode.month &&
      other.line === episode.line &&
      LADDER.indexOf(other.step) > rung,
  );
}

/**
 * Whether a receiver was told of a higher step while this one was open already: that message said all that this one
 * would, and the end of the higher step makes no news of it.
 */
export function wasToldAbove(episode: Episode, all: readonly Episode[], receiver: string): boolean {
  const rung = LADDER.indexOf(episode.step);
  return all.some(
    (other) =>
      rung >= 0 &&
      LADDER.indexOf(other.step) > rung &&
      other.month === episode.month &&
      other.line === episode.line &&
      other.told.includes(receiver) &&
      (other.resolvedAtMs === null || other.resolvedAtMs > (episode.firedAtMs ?? 0)),
  );
}

/** The silence in force over a step of a service, if any; its end is exclusive. */
export function silenceOver(
  silences: readonly Silence[],
  service: string,
  step: Step,
  nowMs: number,
): Silence | undefined {
  return silences.find(
    (silence) =>
      (silence.service === '*' || silence.service === service) &&
      (silence.step === '*' || silence.step === step) &&
      silence.fromMs <= nowMs &&
      nowMs < silence.untilMs,
  );
}
