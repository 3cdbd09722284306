import type { Waiting } from './outbox.ts';

/** What waited when a page ended, for the next page of the same tab; a browser may refuse it all. */
export interface Keepsake {
  save(records: readonly Waiting[]): void;
  /** Takes back what was saved; it is not there a second time. */
  take(): readonly Waiting[];
  /** Forgets what was saved and leaves the place to another one. */
  end(): void;
}

/** Places in use on this page. */
const places = new Set<string>();

/** @param name  of several with one name each has a place of its own, in the order in which a page makes them */
export function createKeepsake(name: string): Keepsake {
  let place = name;
  // Where pages are rendered on a server nothing is saved, and beacons are many.
  if (globalThis.document) {
    while (places.has(place)) place += '+';
    places.add(place);
  }
  const take = () => {
    try {
      const saved: Waiting[] = JSON.parse(sessionStorage.getItem(place) as string);
      sessionStorage.removeItem(place);
      return saved.filter(({ text }) => typeof text === 'string');
    } catch {
      // Nothing is there, or what somebody else put there.
      return [];
    }
  };
  return {
    save: (records) => {
      try {
        if (records.length) sessionStorage.setItem(place, JSON.stringify(records));
        else sessionStorage.removeItem(place);
      } catch {
        // Full, or forbidden in this frame: then a reload loses what waits.
      }
    },
    take,
    end: () => {
      take();
      places.delete(place);
    },
  };
}
