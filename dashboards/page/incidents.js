// Incidents are runs of lost windows: what a person remembers of a bad month.

/**
 * @typedef {object} Incident
 * @property {number} place  of its first window
 * @property {number} windows
 * @property {number} attempts  counted ones
 * @property {number} failures  counted ones
 * @property {boolean} lowVolume  every window of it is
 */

/**
 * @param {readonly { place: number, attempts: number, failures: number, lowVolume: boolean }[]} lost  in any order
 * @returns {Incident[]} the latest first
 */
export function incidents(lost) {
  /** @type {Incident[]} */
  const runs = [];
  for (const { place, attempts, failures, lowVolume } of [...lost].sort((a, b) => a.place - b.place)) {
    const last = runs.at(-1);
    if (last !== undefined && last.place + last.windows === place) {
      last.windows += 1;
      last.attempts += attempts;
      last.failures += failures;
      last.lowVolume &&= lowVolume;
    } else {
      runs.push({ place, windows: 1, attempts, failures, lowVolume });
    }
  }
  return runs.reverse();
}
