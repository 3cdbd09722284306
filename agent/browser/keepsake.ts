/** What waited when a page ended, for the next page of the same tab; a browser may refuse it all. */
export interface Keepsake {
  save(records: readonly string[]): void;
  /** Takes back what was saved; it is not there a second time. */
  take(): readonly string[];
  /** Forgets what was saved and leaves the place to another one. */
  end(): void;
}

/** Places in use on this page. */
const places = new Set<string>();

/** @param name  of several with one name each has a place of its own, in the order in which a page makes them */
export function createKeepsake(name: string): Keepsake {
  let place = name;
  while (places.has(place)) place += '+';
  places.add(place);
  const take = (): readonly string[] => {
    try {
      const saved: unknown = JSON.parse(sessionStorage.getItem(place) ?? '');
      sessionStorage.removeItem(place);
      return Array.isArray(saved) ? saved.filter((one) => typeof one === 'string') : [];
    } catch {
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
