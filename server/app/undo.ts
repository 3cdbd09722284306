import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../log.ts';

/** What a process has started, to be taken back in reverse order. */
export class Undo {
  private readonly steps: { readonly what: string; readonly step: () => Promise<void> | void }[] = [];
  private readonly log: Log;

  constructor(log: Log) {
    this.log = log;
  }

  push(what: string, step: () => Promise<void> | void): void {
    this.steps.push({ what, step });
  }

  /**
   * Takes everything back, one after the other. A step that fails does not keep the next one from its turn; one
   * that is not done at the deadline is left to the end of the process.
   */
  async unwind(withinMs: number): Promise<void> {
    const deadlineAtMs = performance.now() + withinMs;
    for (const { what, step } of this.steps.splice(0).reverse()) {
      const patience = new AbortController();
      const late = sleep(Math.max(LEAST_MS, deadlineAtMs - performance.now()), 'late' as const, {
        signal: patience.signal,
      }).catch(() => 'late' as const);
      try {
        if ((await Promise.race([step(), late])) === 'late') {
          this.log.warn({ part: what }, 'a part of the daemon did not stop in time');
        }
      } catch (error) {
        this.log.warn({ part: what, error }, 'a part of the daemon did not stop in order');
      }
      patience.abort();
    }
  }
}

/** What every step has, however late it is: enough to close a socket or a file. */
const LEAST_MS = 200;
