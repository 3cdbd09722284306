// Incidents are runs of lost windows: what a person remembers of a bad month.

/** @import { Incident } from './types.d.ts' */

/**
 * @param {readonly { place: number, attempts: number, failures: number, lowVolume: boolean }[]} lost  in any order
 * @returns {Incident[]} the latest first
 */
export function incidents(lost) {
  /** @type {Incident[]} */
  const runs = [];
  for (const { place, attempts, failures, lowVolume } of [...lost].sort((a, b) => a.place - b.place)) {
    const last = runs.at(-1);
    const next = { place, windows: 1, attempts, failures, lowVolume };
    if (last === undefined || last.place + last.windows !== place) runs.push(next);
    else runs[runs.length - 1] = joined(last, next);
  }
  return runs.reverse();
}

/** @param {Incident} run @param {Incident} next @returns {Incident} */
function joined(run, next) {
  return {
    place: run.place,
    windows: run.windows + next.windows,
    attempts: run.attempts + next.attempts,
    failures: run.failures + next.failures,
    lowVolume: run.lowVolume && next.lowVolume,
  };
}
