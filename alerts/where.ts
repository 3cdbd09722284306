import type { Where } from './alert.ts';

/** Failures of one origin, as the store keeps them (`FactStore.origins`). */
export interface OriginCount {
  readonly origin: {
    readonly region: string;
    readonly platform: string;
    readonly cause: string;
    readonly code: string;
  };
  readonly n: number;
}

/** Names told of each kind; the shares that are left out are small or many, and neither says where to look. */
const TOP = 3;

/**
 * Where failures came from.
 * @param origins those of the slots from `sinceMs` on
 * @returns null when there are none
 */
export function whereOf(origins: readonly OriginCount[], sinceMs: number): Where | null {
  const failures = origins.reduce((sum, { n }) => sum + n, 0);
  if (failures === 0) return null;
  return {
    sinceMs,
    failures,
    regions: top(origins, 'region'),
    platforms: top(origins, 'platform'),
    causes: top(origins, 'cause'),
    codes: top(origins, 'code'),
  };
}

function top(origins: readonly OriginCount[], part: keyof OriginCount['origin']): Where['regions'] {
  const counts = new Map<string, number>();
  for (const { origin, n } of origins) counts.set(origin[part], (counts.get(origin[part]) ?? 0) + n);
  return (
    [...counts]
      .map(([name, failures]) => ({ name, failures }))
      // By name among equals, so that the same facts give the same text.
      .sort((a, b) => b.failures - a.failures || (a.name < b.name ? -1 : 1))
      .slice(0, TOP)
  );
}
