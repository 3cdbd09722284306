/** A seeded generator (mulberry32): the same seed gives the same run. */
export interface Random {
  /** uniform in [0, 1) */
  next(): number;
  /** uniform integer in [from, to] */
  integer(from: number, to: number): number;
  pick<T>(items: readonly T[]): T;
}

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const integer = (from: number, to: number) => from + Math.floor(next() * (to - from + 1));
  return { next, integer, pick: (items) => items[integer(0, items.length - 1)]! };
}
