import type { IncomingMessage } from 'node:http';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { ReceiveFault } from '../receiver.ts';
import { FaultLog } from './fault-log.ts';

interface RequestFault {
  readonly code: string;
  readonly message: string;
  readonly field?: string;
}

/** Says what is refused over HTTP: requests are counted and logged, records (which the receiver counts) logged. */
export class HttpFaults {
  readonly #metrics: AgentMetrics;
  /** Apart, so that neither kind can hide the other: each has its ten lines a minute. */
  readonly #requests: FaultLog;
  readonly #records: FaultLog;

  constructor({ metrics, log, clock }: { metrics: AgentMetrics; log: Log; clock: Clock }) {
    this.#metrics = metrics;
    this.#requests = new FaultLog(log, () => clock.monotonicMs(), 'request');
    this.#records = new FaultLog(log, () => clock.monotonicMs());
  }

  /** @param from whose it is, for people */
  request(fault: RequestFault, from: string): void {
    this.count(fault.code);
    this.#requests.report({ code: fault.code, field: fault.field ?? '', message: fault.message }, from);
  }

  /** Of a request that is logged elsewhere. */
  count(code: string): void {
    this.#metrics.count('requestsRefused', 1, code);
  }

  /** @param index of the record in its report */
  record({ code, field, message }: ReceiveFault, index: number, from: string): void {
    this.#records.report({ code, field, message }, `record ${index} of ${from}`);
  }

  close(): void {
    this.#requests.close();
    this.#records.close();
  }
}

/** Characters of a path that a log line may repeat. */
const PATH_MAX = 80;

/** Names a request for people; without its query, which may hold what is nobody's business. */
export function nameOf({ method, url = '', socket }: IncomingMessage): string {
  const path = url.split('?', 1)[0]!.slice(0, PATH_MAX);
  return `${method} ${path} from ${socket.remoteAddress ?? 'a connection that is gone'}`;
}
