import type { Cell } from '../protocol/frame.ts';
import type { CauseLookup } from '../sla/causes.ts';
import { type OutcomeFault, type ParsedOutcome, parseOutcome, parseOutcomeText } from '../sla/outcome.ts';
import type { Clock } from './clock.ts';
import type { ForbiddenServices } from './forbidden-services.ts';
import { Fold } from './intake/fold.ts';
import { NOT_UTF8 } from './intake/line-splitter.ts';
import { outcomeLabels } from './labels.ts';
import type { AgentMetrics } from './metrics.ts';
import type { HashedOutcomes, HashedRange } from './spool/hashed-outcomes.ts';
import type { Acceptance, Spool } from './spool/spool.ts';

/** The ways in, as label of the metric. */
export type Source = 'http' | 'stdin' | 'file' | 'library' | 'simulation';

export interface ReceiverOptions {
  readonly spool: Spool;
  readonly lookup: CauseLookup;
  readonly clock: Clock;
  readonly metrics: AgentMetrics;
  readonly forbidden: ForbiddenServices;
  /** For records that name no service. */
  readonly service?: string;
}

const ACCEPTED = { status: 'accepted' } as const;

export type Received =
  | { readonly status: 'accepted' }
  /** Its id was seen before: counted then, not again. */
  | { readonly status: 'repeated' }
  | { readonly status: 'rejected'; readonly fault: ReceiveFault };

export interface ReceiveFault extends Omit<OutcomeFault, 'code'> {
  readonly code: OutcomeFault['code'] | 'OUTCOME_TOO_MANY_SERVICES' | 'OUTCOME_SERVICE_FORBIDDEN';
}

type Counted = Pick<Cell, 'service' | 'n'>;

/** Outcomes of one commit group. */
interface Accepted {
  readonly durable: Promise<void>;
  readonly bySource: Map<Source, number>;
  readonly byService: Map<string, number>;
}

const NOT_UTF8_FAULT: ReceiveFault = {
  code: 'OUTCOME_NOT_JSON',
  field: '',
  message: 'the record is not UTF-8; write it in UTF-8',
};

/** Takes records from any way in: reads each, finds its cause and hands it to the spool. */
export class Receiver {
  readonly #options: ReceiverOptions;
  /** What was accepted into the newest commit group. */
  #newest: Accepted | undefined;
  /** Outcomes on disk since the start, by service. */
  readonly #accepted = new Map<string, number>();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /**
   * @param record      parsed JSON, or `NOT_UTF8`; durable once the spool's `commit` says so
   * @param clockGapMs  how far our clock is ahead of the sender's, where that is known
   */
  receive(record: unknown, source: Source, clockGapMs = 0): Received {
    if (record === NOT_UTF8) return this.refuse(NOT_UTF8_FAULT);
    return this.#take(parseOutcome(record, this.#defaults(clockGapMs)), source);
  }

  /** @param line JSON text of one record, its length bounded by the caller; or `NOT_UTF8` */
  receiveLine(line: string, source: Source, clockGapMs = 0): Received {
    if (line === NOT_UTF8) return this.refuse(NOT_UTF8_FAULT);
    return this.#take(parseOutcomeText(line, this.#defaults(clockGapMs)), source);
  }

  /** Outcomes of some services that were accepted since the start, as far as they are on disk. */
  acceptedOf(services: readonly string[]): number {
    return services.reduce((sum, service) => sum + (this.#accepted.get(service) ?? 0), 0);
  }

  /** Counts a record that is refused before it is read. */
  refuse(fault: ReceiveFault): Received {
    this.#options.metrics.count('outcomesRejected', 1, fault.code);
    return { status: 'rejected', fault };
  }

  /** Folds what is then given to `receiveCell`, by the same rules as the other ways. */
  newFold(): Fold {
    const { lookup, service, spool, forbidden } = this.#options;
    return new Fold({
      lookup,
      service,
      clockOffset: () => spool.clockOffsetMs,
      // So that one which is not taken is refused record by record.
      admits: (one) => !forbidden.has(one) && spool.admits(one),
      admission: () => forbidden.revision,
    });
  }

  /**
   * Outcomes whose labels a fold knows, and whose ids were hashed where they were read, maybe some time ago.
   * @param onRejected  told of each whose service is not taken, or no more
   */
  receiveHashed(
    outcomes: HashedOutcomes,
    range: HashedRange,
    source: Source,
    onRejected: (fault: ReceiveFault) => void,
  ): void {
    for (const { from, to, fault } of this.#judged(outcomes, range)) {
      if (fault === undefined) this.#takeHashed(outcomes, { from, to }, source);
      else {
        for (let row = from; row < to; row += 1) {
          this.refuse(fault);
          onRejected(fault);
        }
      }
    }
  }

  /** Outcomes that were folded already; see `Fold`. */
  receiveCell(cell: Cell, clockOffsetMs: number | null, source: Source): Received {
    const { spool, forbidden } = this.#options;
    if (forbidden.has(cell.service)) return this.refuse(forbiddenFault(cell.service));
    return this.#answer(spool.acceptCell(cell, clockOffsetMs), cell, source);
  }

  #defaults(clockGapMs: number) {
    const { service, clock } = this.#options;
    const nowMs = clock.nowMs();
    return service === undefined ? { nowMs, clockGapMs } : { service, nowMs, clockGapMs };
  }

  #take(parsed: ParsedOutcome, source: Source): Received {
    const { spool, lookup, forbidden } = this.#options;
    if (!parsed.ok) return this.refuse(parsed.fault);
    const { outcome } = parsed;
    if (forbidden.has(outcome.service)) return this.refuse(forbiddenFault(outcome.service));
    const cell = { ...outcomeLabels(outcome, lookup), n: outcome.count };
    return this.#answer(spool.accept(cell, outcome.startedAtMs, outcome.id), cell, source);
  }

  #answer(acceptance: Acceptance, cell: Counted, source: Source): Received {
    if (acceptance === 'too-many-services') return this.refuse(tooManyServices(cell.service));
    if (acceptance === 'repeated') {
      this.#options.metrics.count('outcomesRepeated', cell.n);
      return { status: 'repeated' };
    }
    this.#count(cell, source);
    return ACCEPTED;
  }

  /** Why outcomes of a service are not taken; one that is new takes a place. */
  #faultOf(service: string): ReceiveFault | undefined {
    const { spool, forbidden } = this.#options;
    if (forbidden.has(service)) return forbiddenFault(service);
    return spool.admits(service) ? undefined : tooManyServices(service);
  }

  /** The range cut where one of it begins or ends that is to be refused. */
  #judged(
    { labels }: HashedOutcomes,
    { from, to }: HashedRange,
  ): readonly (HashedRange & { readonly fault: ReceiveFault | undefined })[] {
    const runs: { from: number; to: number; fault: ReceiveFault | undefined }[] = [];
    const faults = new Map<string, ReceiveFault | undefined>();
    let last: string | undefined;
    let fault: ReceiveFault | undefined;
    for (let row = from; row < to; row += 1) {
      const { service } = labels[row]!;
      if (service !== last) {
        if (!faults.has(service)) faults.set(service, this.#faultOf(service));
        fault = faults.get(service);
        last = service;
      }
      const run = runs.at(-1);
      if (run !== undefined && run.fault === fault) run.to = row + 1;
      else runs.push({ from: row, to: row + 1, fault });
    }
    return runs;
  }

  #takeHashed(outcomes: HashedOutcomes, range: HashedRange, source: Source): void {
    const { spool, metrics } = this.#options;
    const repeated = spool.acceptHashed(outcomes, range, (row) => {
      this.#count({ service: outcomes.labels[row]!.service, n: outcomes.counts[row]! }, source);
    });
    if (repeated > 0) metrics.count('outcomesRepeated', repeated);
  }

  /** Outcomes accepted just now; what the disk refuses is answered so, or tried again and then counted once. */
  #count({ service, n }: Counted, source: Source): void {
    const { spool } = this.#options;
    const durable = spool.commit();
    if (this.#newest?.durable !== durable) {
      const accepted: Accepted = { durable, bySource: new Map(), byService: new Map() };
      this.#newest = accepted;
      // Whoever accepted them hears of the failure.
      durable.then(
        () => this.#add(accepted),
        () => {},
      );
    }
    const { bySource, byService } = this.#newest;
    addTo(bySource, source, n);
    addTo(byService, service, n);
  }

  #add({ bySource, byService }: Accepted): void {
    for (const [source, n] of bySource) this.#options.metrics.count('outcomesAccepted', n, source);
    for (const [service, n] of byService) addTo(this.#accepted, service, n);
  }
}

function tooManyServices(service: string): ReceiveFault {
  return {
    code: 'OUTCOME_TOO_MANY_SERVICES',
    field: 'service',
    message: `service ${service}: the agent has all the services it can report for; use another agent`,
  };
}

function forbiddenFault(service: string): ReceiveFault {
  return {
    code: 'OUTCOME_SERVICE_FORBIDDEN',
    field: 'service',
    message: `service ${service}: the agent's token does not cover it; correct the name, or add it to the token in the daemon's configuration`,
  };
}

function addTo<K>(sums: Map<K, number>, key: K, n: number): void {
  sums.set(key, (sums.get(key) ?? 0) + n);
}
