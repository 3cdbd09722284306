import type { LossOrigin } from '../ingest/observer.ts';
import type { Log } from '../log.ts';

/** Losses told apart within a period, by agent and reason; what exceeds this is told without its agent. */
const KEPT_MAX = 1_000;

interface Loss extends LossOrigin {
  readonly reason: string;
  outcomes: number;
}

/**
 * Says that outcomes were given up: nobody will count them any more, so they must not show in a counter alone.
 * Of each agent and reason the first loss of a period is logged at once and the others as a sum at its end.
 */
export class LossLog {
  readonly #log: Log;
  readonly #losses = new Map<string, Loss>();

  constructor(log: Log) {
    this.#log = log;
  }

  add(reason: string, outcomes: number, { agent, services }: LossOrigin): void {
    const key = `${agent} ${reason}`;
    const known = this.#losses.get(key);
    if (known) {
      known.outcomes += outcomes;
      return;
    }
    if (this.#losses.size >= KEPT_MAX) {
      const rest = this.#losses.get('') ?? { agent: 'others', services: [], reason: 'any', outcomes: 0 };
      rest.outcomes += outcomes;
      this.#losses.set('', rest);
      return;
    }
    this.#say({ agent, services, reason, outcomes });
    this.#losses.set(key, { agent, services, reason, outcomes: 0 });
  }

  /** Ends a period. */
  flush(): void {
    for (const loss of this.#losses.values()) if (loss.outcomes > 0) this.#say(loss);
    this.#losses.clear();
  }

  #say({ agent, services, reason, outcomes }: Loss): void {
    const why = WHY[reason] ?? 'no window will count them';
    this.#log.error({ agent, services, reason, outcomes }, `outcomes were lost: ${why}`);
  }
}

const WHY: Readonly<Record<string, string>> = {
  forbidden: 'no window will count them, unless the token covers their services within ten minutes',
};
