import type { Spool } from '../spool/spool.ts';

export interface TakenEach<T> {
  /** Items whose group did not reach the disk, in order: these are to be taken again, and no others. */
  readonly failed: readonly T[];
  /** Why the first of them did not. */
  readonly error?: Error;
}

/**
 * Takes items that may fall into several commit groups, and waits for each one's own. One group can be durable
 * and the next not: who repeated everything then would count the first one twice.
 * @param take  hands the item to the spool at once; false = there is nothing to make durable
 */
export async function takeEach<T>(
  items: readonly T[],
  take: (item: T) => boolean,
  spool: Spool,
): Promise<TakenEach<T>> {
  const groups = new Map<Promise<void>, T[]>();
  let last: { readonly durable: Promise<void>; readonly group: T[] } | undefined;
  for (const item of items) {
    if (!take(item)) continue;
    const durable = spool.commit();
    // Neighbours mostly share their group.
    if (last?.durable !== durable) {
      const group = groups.get(durable) ?? [];
      groups.set(durable, group);
      last = { durable, group };
    }
    last.group.push(item);
  }
  const settled = await Promise.allSettled(groups.keys());
  const members = [...groups.values()];
  const failed = members.filter((_, at) => settled[at]?.status === 'rejected').flat();
  const fault = settled.find((one) => one.status === 'rejected');
  return fault ? { failed, error: fault.reason as Error } : { failed };
}
