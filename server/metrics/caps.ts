/**
 * Bounds on label values that come from outside: an agent's region or platform is text that anybody with a
 * token may choose, and every new one would be a series for ever.
 */
export interface LabelCaps {
  /** Services with series of their own; the counters of others go under OTHER, their gauges are not shown. */
  readonly services: number;
  /** Of each service; what exceeds goes under OTHER. */
  readonly regionsPerService: number;
  readonly platformsPerService: number;
}

const OTHER = 'other';

interface Seen {
  readonly regions: Set<string>;
  readonly platforms: Set<string>;
}

/** First come, first kept; the values kept stay for the life of the process. */
export class LabelBounds {
  private readonly caps: LabelCaps;
  private readonly seen = new Map<string, Seen>();

  constructor(caps: LabelCaps) {
    this.caps = caps;
  }

  /** @returns whether the service has series of its own */
  admits(service: string): boolean {
    return this.seenOf(service) !== undefined;
  }

  /** The service's value in the labels of a counter. */
  labelOf(service: string): string {
    return this.admits(service) ? service : OTHER;
  }

  bounded(
    service: string,
    region: string,
    platform: string,
  ): { readonly service: string; readonly region: string; readonly platform: string } {
    const seen = this.seenOf(service);
    if (!seen) return { service: OTHER, region: OTHER, platform: OTHER };
    return {
      service,
      region: kept(seen.regions, region, this.caps.regionsPerService),
      platform: kept(seen.platforms, platform, this.caps.platformsPerService),
    };
  }

  private seenOf(service: string): Seen | undefined {
    const known = this.seen.get(service);
    if (known || this.seen.size >= this.caps.services) return known;
    const fresh: Seen = { regions: new Set(), platforms: new Set() };
    this.seen.set(service, fresh);
    return fresh;
  }
}

function kept(values: Set<string>, value: string, cap: number): string {
  if (values.has(value)) return value;
  if (values.size >= cap) return OTHER;
  values.add(value);
  return value;
}
