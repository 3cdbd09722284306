import type { CursorMove, Origin, ServiceDelta, Store } from '../../server/store/store.ts';

/** 08:00 UTC of a Tuesday; its minute is the first of a page of 480 and of a five-minute slot. */
export const NOW_MS = Date.UTC(2026, 10, 3, 8);
export const NOW_MINUTE = NOW_MS / 60_000;

export const EVENT: Origin = {
  slotMinute: NOW_MINUTE,
  region: 'ap-guangzhou',
  platform: 'web-v5',
  cause: 'provider',
  code: '5400/-10015',
};

/** How a suite gets a store, and rid of it. The books may hold other services, but none of `freshService`. */
export interface OpenedStore {
  readonly store: Store;
  close(): Promise<void>;
}
export type OpenStore = () => Promise<OpenedStore>;

let services = 0;
/** A service of its own for each test, so that they can share a store. */
export function freshService(): string {
  services += 1;
  return `service-${process.pid}-${services}`;
}

export function digestOf(seq: number): string {
  return seq.toString(16).padStart(16, '0');
}

/** A step from `expectedSeq` to the next, or to `seq`. */
export function move(producerId: string, expectedSeq: number, rest: Partial<CursorMove> = {}): CursorMove {
  const seq = rest.seq ?? expectedSeq + 1;
  return { producerId, epoch: 1, expectedSeq, seq, digest: digestOf(seq), ...rest };
}

export function deltaOf(
  service: string,
  cursors: readonly CursorMove[],
  rest: Partial<ServiceDelta> = {},
): ServiceDelta {
  return { service, cursors, tallies: new Map(), alive: new Set(), late: new Map(), origins: [], ...rest };
}

/** `attempts` successful entries in one minute. */
export function attemptsIn(minute: number, attempts: number): { readonly tallies: ServiceDelta['tallies'] } {
  return { tallies: new Map([[minute, [attempts, 0, 0, 0, 0]]]) };
}

/** The attempts that the books hold in one minute. */
export async function attemptsOf(store: Store, service: string, minute: number): Promise<number> {
  const from = minute - (minute % 5);
  const facts = await store.facts.readMinutes(service, from, from + 5);
  return facts.tallies[(minute - from) * 5] ?? -1;
}
