import type { Where } from '../../alerts/alert.ts';
import type { Origin } from '../store/store.ts';

/** Names told of each kind; the rest would not be read at night. */
const NAMES_TOLD = 3;

/** Adds up where failures came from: the regions, platforms, causes and codes with the most of them. */
export function whereFrom(
  origins: readonly { readonly origin: Origin; readonly n: number }[],
  sinceMs: number,
): Where {
  const most = (nameOf: (origin: Origin) => string) => {
    const sums = new Map<string, number>();
    for (const { origin, n } of origins) {
      const name = nameOf(origin);
      if (name !== '') sums.set(name, (sums.get(name) ?? 0) + n);
    }
    return [...sums]
      .map(([name, failures]) => ({ name, failures }))
      .sort((a, b) => b.failures - a.failures || a.name.localeCompare(b.name, 'en'))
      .slice(0, NAMES_TOLD);
  };
  return {
    sinceMs,
    failures: origins.reduce((sum, { n }) => sum + n, 0),
    regions: most((origin) => origin.region),
    platforms: most((origin) => origin.platform),
    causes: most((origin) => origin.cause),
    codes: most((origin) => origin.code),
  };
}
