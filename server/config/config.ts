import type { AlertingConfig } from '../../alerts/config.ts';
import type { Exclusion } from '../../sla/exclusion.ts';
import type { Terms } from '../../sla/terms.ts';
import type { Token } from '../http/access.ts';
import type { LogLevel } from '../log.ts';
import type { StoreConfig } from '../store/open-store.ts';

/** The daemon's configuration, complete and frozen. Paths are absolute. */
export interface Config {
  /** null: none was given, and all of this are defaults. */
  readonly file: string | null;
  readonly listen: { readonly host: string; readonly port: number };
  readonly store: StoreConfig;
  readonly tokens: readonly Token[];
  /** Where an agent's token is generated at the first start; null when tokens are configured. */
  readonly generatedTokenFile: string | null;
  readonly terms: Terms;
  /** Services with terms of their own. */
  readonly termsByService: ReadonlyMap<string, Terms>;
  /** Of the exclusions files. */
  readonly exclusions: readonly Exclusion[];
  readonly alerting: AlertingConfig;
  readonly limits: {
    readonly services: number;
    readonly regionsPerService: number;
    readonly platformsPerService: number;
    readonly agents: number;
    /** undefined: as many as agents in all. */
    readonly connectionsPerAddress?: number | undefined;
    readonly connectionsPerToken?: number | undefined;
    readonly factsCacheBytes: number;
  };
  readonly retentionDays: number;
  readonly metrics: { readonly open: boolean };
  readonly log: { readonly level: LogLevel };
  readonly shutdownDeadlineMs: number;
  /** What is allowed and yet probably not meant; each a sentence with the fix. */
  readonly warnings: readonly string[];
}

export function termsOf(config: Pick<Config, 'terms' | 'termsByService'>, service: string): Terms {
  return config.termsByService.get(service) ?? config.terms;
}
