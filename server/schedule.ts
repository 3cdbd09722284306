import { createTask, type ScheduledTask } from 'node-cron';
import type { Log } from './log.ts';

/** Something to look at again and again. A tick only pokes; what is due is decided by the state it finds. */
export interface Job {
  readonly name: string;
  /** Six fields, the first one seconds; in UTC. */
  readonly cron: string;
  run(): void | Promise<void>;
}

export const EVERY_TWO_SECONDS = '*/2 * * * * *';
export const EVERY_TEN_SECONDS = '*/10 * * * * *';

/**
 * Starts the jobs' clocks. UTC, because schedules in a zone with daylight saving have stalled around its
 * changes. A missed, doubled or late tick changes nothing; a job that still runs is not started again.
 */
export function startSchedule(jobs: readonly Job[], log: Log): { stop(): Promise<void> } {
  const tasks = jobs.map(({ name, cron, run }): ScheduledTask => {
    const task = createTask(
      cron,
      async () => {
        try {
          await run();
        } catch (error) {
          log.warn({ job: name, error }, 'a job failed; the next tick tries again');
        }
      },
      { name, timezone: 'Etc/UTC', noOverlap: true, suppressMissedWarning: true, logger: silent },
    );
    void task.start();
    return task;
  });
  return {
    async stop() {
      for (const task of tasks) await task.destroy();
    },
  };
}

/** What node-cron has to say is that a tick was missed or overlapped, which is no event here. */
const silent = { info: ignore, warn: ignore, error: ignore, debug: ignore };

function ignore(): void {}
