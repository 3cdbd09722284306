/** What waited when a page ended, for the next page of the same tab; a browser may refuse it all. */
export interface Keepsake {
  save(records: readonly string[]): void;
  /** Takes back what was saved; it is not there a second time. */
  take(): readonly string[];
}

export function createKeepsake(key: string): Keepsake {
  return {
    save: (records) => {
      try {
        if (records.length) sessionStorage.setItem(key, JSON.stringify(records));
        else sessionStorage.removeItem(key);
      } catch {
        // Full, or forbidden in this frame: then a reload loses what waits.
      }
    },
    take: () => {
      try {
        const saved: unknown = JSON.parse(sessionStorage.getItem(key) ?? '');
        sessionStorage.removeItem(key);
        return Array.isArray(saved) ? saved.filter((one) => typeof one === 'string') : [];
      } catch {
        return [];
      }
    },
  };
}
