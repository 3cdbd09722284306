/** Distinct reasons that become label values; an agent's text beyond them is counted as `other`. */
export const LOSS_REASONS_MAX = 32;

/** Keeps what agents give as reason of a loss within a bounded set of label values. */
export function createLossReasons(): { nameOf(reason: string): string } {
  const known = new Set<string>();
  return {
    nameOf: (reason) => {
      if (known.has(reason)) return reason;
      if (known.size >= LOSS_REASONS_MAX || !/^[a-z][a-z0-9-]{0,31}$/.test(reason)) return 'other';
      known.add(reason);
      return reason;
    },
  };
}
