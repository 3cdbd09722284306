import type { KnownServices } from '../http/routes/parameters.ts';
import type { FactStore } from '../store/store.ts';

/** The services of the books, as far as this daemon has seen them; none is ever forgotten. */
export class ServiceList implements KnownServices {
  private readonly facts: FactStore;
  private known = new Set<string>();
  private sorted: readonly string[] = [];

  constructor(facts: FactStore) {
    this.facts = facts;
  }

  services(): readonly string[] {
    return this.sorted;
  }

  async isKnown(service: string): Promise<boolean> {
    // An agent of another daemon may have brought it a moment ago.
    if (!this.known.has(service)) await this.refresh();
    return this.known.has(service);
  }

  async refresh(): Promise<void> {
    this.add(await this.facts.services());
  }

  add(services: readonly string[]): void {
    const fresh = services.filter((service) => !this.known.has(service));
    if (fresh.length === 0) return;
    this.known = new Set([...this.known, ...fresh]);
    this.sorted = [...this.known].sort();
  }
}
