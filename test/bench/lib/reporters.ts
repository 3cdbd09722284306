import { fork } from 'node:child_process';
import { once } from 'node:events';

/** Applications that report over HTTP, in a process of their own. */
export interface ReportJob {
  readonly port: number;
  /** Each sends one request after the other. */
  readonly connections: number;
  /** Of one request; 1 = an object, more = an array. */
  readonly outcomes: number;
  readonly forMs: number;
}

export interface ReportResult {
  /** Answered with 202. */
  readonly requests: number;
  readonly elapsedMs: number;
}

export function startReporters(): { run(job: ReportJob): Promise<ReportResult>; end(): void } {
  const child = fork(new URL('./report-load.js', import.meta.url));
  return {
    run: async (job) => {
      child.send(job);
      const [result] = (await once(child, 'message')) as [ReportResult];
      return result;
    },
    end: () => child.disconnect(),
  };
}
