/** ln Γ(x) for x > 0, to about 1e-13 relative: Stirling's series, shifted to where it converges. */
export function logGamma(x: number): number {
  let shift = 0;
  let at = x;
  while (at < 12) {
    shift -= Math.log(at);
    at += 1;
  }
  const inverse = 1 / at;
  const square = inverse * inverse;
  const series =
    inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1_260 - square * (1 / 1_680 - square / 1_188))));
  return shift + (at - 0.5) * Math.log(at) - at + HALF_LOG_TWO_PI + series;
}

const HALF_LOG_TWO_PI = 0.918_938_533_204_672_8;
