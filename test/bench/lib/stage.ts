import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { type RunningRedis, startRedis } from '../../support/redis.ts';
import type { LoadJob, LoadResult, SideAsk, SideKind, SideStart, SideVitals } from './protocol.ts';

/** A real Redis (AOF, fsync every second), servers under test and load generators, each a process. */
export interface Stage {
  readonly token: string;
  readonly redis: RunningRedis;
  side(kind: SideKind): Promise<Side>;
  load(): Load;
  end(): Promise<void>;
}

export interface Side {
  readonly port: number;
  vitals(): Promise<SideVitals>;
  /** Forgets the longest stall. */
  reset(): void;
  end(): void;
}

export interface Load {
  run(job: LoadJob): Promise<LoadResult>;
  end(): void;
}

export async function openStage(): Promise<Stage> {
  const redis = await startRedis({ aof: true });
  const token = randomBytes(16).toString('hex');
  const children: ChildProcess[] = [];
  const start = (file: string) => {
    const child = fork(new URL(`./${file}.js`, import.meta.url), { execArgv: ['--expose-gc'] });
    children.push(child);
    return child;
  };
  return {
    token,
    redis,
    side: async (kind) => {
      const child = start('side');
      const message: SideStart = { kind, redisUrl: redis.url, token };
      const port = await ask<number>(child, message);
      return {
        port,
        vitals: () => ask<SideVitals>(child, 'vitals' satisfies SideAsk),
        reset: () => child.send('reset' satisfies SideAsk),
        end: () => child.disconnect(),
      };
    },
    load: () => {
      const child = start('load');
      return { run: (job) => ask<LoadResult>(child, job), end: () => child.disconnect() };
    },
    end: async () => {
      for (const child of children) if (child.connected) child.disconnect();
      await redis.stop();
    },
  };
}

/** One question, one answer; a child that dies instead ends the benchmark. */
function ask<T>(child: ChildProcess, message: LoadJob | SideStart | SideAsk): Promise<T> {
  return new Promise((resolve, reject) => {
    const died = (code: number | null) => reject(new Error(`a process of the benchmark ended with ${code}`));
    child.once('exit', died);
    child.once('message', (answer) => {
      child.off('exit', died);
      resolve(answer as T);
    });
    child.send(message);
  });
}
