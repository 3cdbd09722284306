const BASE_MS = 1_000;
const CAP_MS = 5 * 60_000;

/**
 * How long to wait after the n-th failure in a row (1, 2, ...): between half and the whole of 1 s doubled each
 * time, at most five minutes; never sooner than the receiver asked. The lower half is left out because a
 * receiver that just failed has not recovered within milliseconds.
 * @param random uniform in [0, 1)
 */
export function backoffMs(failures: number, afterMs: number | null, random: () => number): number {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures, 30));
  return Math.max(afterMs ?? 0, Math.round(ceiling * (0.5 + random() / 2)));
}
