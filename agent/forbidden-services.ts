/**
 * Services of this agent that its token does not cover, as the daemon said in its last welcome. Their outcomes are
 * refused at intake: what was accepted would be lost at the daemon.
 */
export class ForbiddenServices {
  #services: ReadonlySet<string> = new Set();
  #revision = 0;

  /** Another one whenever the services are others. */
  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#services.size;
  }

  get list(): readonly string[] {
    return [...this.#services];
  }

  has(service: string): boolean {
    return this.#services.has(service);
  }

  /** @returns those that were not forbidden before, and those that no longer are */
  replace(services: readonly string[]): { readonly added: string[]; readonly ended: string[] } {
    const before = this.#services;
    this.#services = new Set(services);
    const added = this.list.filter((service) => !before.has(service));
    const ended = [...before].filter((service) => !this.has(service));
    if (added.length + ended.length > 0) this.#revision += 1;
    return { added, ended };
  }
}
