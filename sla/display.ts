/**
 * A share of whole windows as a percentage, truncated and never rounded: nine lost of 8,928 are '99.899%', not
 * '99.90%'. Computed from the integers; `part` is at most `whole`, `whole` at most 44,640.
 */
export function percentDisplay(part: number, whole: number, decimals: number): string {
  return stepsDisplay(Math.floor((part * 100 * 10 ** decimals) / whole), decimals);
}

/** The steps of a percentage with so many decimals in the whole: 100,000 with three. */
export function stepsOf(decimals: number): number {
  return 100 * 10 ** decimals;
}

/** A number of such steps as a percentage: 99,899 with three decimals is '99.899%'. */
export function stepsDisplay(steps: number, decimals: number): string {
  const scale = 10 ** decimals;
  const whole = Math.floor(steps / scale);
  return decimals === 0 ? `${whole}%` : `${whole}.${`${steps % scale}`.padStart(decimals, '0')}%`;
}
