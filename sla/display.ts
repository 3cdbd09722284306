/**
 * A share of whole windows as a percentage, truncated and never rounded: nine lost of 8,928 are '99.899%', not
 * '99.90%'. Computed from the integers; `part` is at most `whole`, `whole` at most 44,640.
 */
export function percentDisplay(part: number, whole: number, decimals: number): string {
  const scale = 10 ** decimals;
  const units = Math.floor((part * 100 * scale) / whole);
  const whole100 = Math.floor(units / scale);
  return decimals === 0 ? `${whole100}%` : `${whole100}.${`${units % scale}`.padStart(decimals, '0')}%`;
}
