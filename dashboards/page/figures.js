// Numbers as text. Availabilities are cut to three decimals, never rounded: 99.8991 % is not "99.90 %".

/** @param {number} ratio @returns {string} "99.899%", as the daemon writes it */
export function availabilityText(ratio) {
  return `${(Math.floor(ratio * 1e5 + 1e-6) / 1e3).toFixed(3)}%`;
}

/** @param {number} ratio @returns {string} a probability: "0%", "< 1%", "31%", "> 99%" */
export function chanceText(ratio) {
  if (ratio <= 0) return '0%';
  if (ratio >= 1) return '100%';
  if (ratio < 0.01) return '< 1%';
  if (ratio > 0.99) return '> 99%';
  return `${Math.round(ratio * 100)}%`;
}

/** @param {number} ratio @returns {string} a share, cut to one decimal: "99.9%" */
export function shareText(ratio) {
  return `${(Math.floor(ratio * 1000 + 1e-6) / 10).toFixed(1)}%`;
}

/** @param {number} failures @param {number} attempts @returns {string} success, cut to two decimals */
export function successText(failures, attempts) {
  if (attempts === 0) return 'no attempts';
  return `${(Math.floor(((attempts - failures) * 10_000) / attempts) / 100).toFixed(2)}%`;
}

/** @param {number} number @returns {string} "12 345" */
export function countText(number) {
  return number.toLocaleString('en-GB').replaceAll(',', ' ');
}

/** @param {number} number @param {string} one @param {string} [many] */
export function plural(number, one, many = `${one}s`) {
  return `${countText(number)} ${number === 1 ? one : many}`;
}

/** @param {number} minutes @returns {string} "40 min", "2 h 5 min" */
export function durationText(minutes) {
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
}

/** @param {number} ms @returns {string} "now", "8 s ago", "3 min ago" */
export function agoText(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 2) return 'now';
  return seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
}
