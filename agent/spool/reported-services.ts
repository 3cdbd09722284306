import { LIMITS } from '../../protocol/limits.ts';
import type { SpoolState } from './state.ts';

type Known = Pick<SpoolState, 'services' | 'callbacksOnly'>;

/** Every service that ever reported here: they are only ever added, as the daemon expects each in the hello. */
export class ReportedServices {
  readonly #services: Set<string>;
  /** Those of which only callbacks came: delivered, and not said to be watched. They leave that state for good. */
  readonly #callbacksOnly: Set<string>;

  constructor({ services, callbacksOnly }: Known) {
    this.#services = new Set(services);
    this.#callbacksOnly = new Set(callbacksOnly);
  }

  get isEmpty(): boolean {
    return this.#services.size === 0;
  }

  get known(): Known {
    return { services: [...this.#services], callbacksOnly: [...this.#callbacksOnly] };
  }

  /** Those of which a minute without outcomes is one in which nobody called. */
  get watched(): string[] {
    return [...this.#services].filter((service) => !this.#callbacksOnly.has(service));
  }

  /** @returns `full` when it is new and there is no place for it */
  admit(service: string): 'known' | 'added' | 'full' {
    if (this.#services.has(service)) return 'known';
    if (this.#services.size >= LIMITS.servicesPerAgent) return 'full';
    this.#services.add(service);
    return 'added';
  }

  /** An outcome of it came. */
  watch(service: string): void {
    this.#callbacksOnly.delete(service);
  }

  /** A callback of it came before anything else did. */
  hearOnly(service: string): void {
    this.#callbacksOnly.add(service);
  }

  /** Whether that is what is kept. */
  is({ services, callbacksOnly }: Known): boolean {
    return services.length === this.#services.size && callbacksOnly.length === this.#callbacksOnly.size;
  }
}
