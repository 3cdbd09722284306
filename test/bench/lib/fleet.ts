import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

/** Some hundred agents in one process: real spools and links, nothing that reports to them. */
export interface FleetJob {
  readonly agents: number;
  readonly server: string;
  readonly token: string;
  readonly folder: string;
}

export interface FleetState {
  readonly connected: number;
  /** When each attempt to connect was made since the last question, epoch milliseconds. */
  readonly attemptsAtMs: readonly number[];
}

export class Fleet {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  static async start(job: FleetJob, processes: number): Promise<Fleet> {
    const children = Array.from({ length: processes }, () =>
      fork(new URL('./fleet-load.js', import.meta.url)),
    );
    await Promise.all(
      children.map(async (child, index) => {
        const agents = Math.floor(job.agents / processes);
        child.send({ ...job, agents, folder: `${job.folder}/${index}` } satisfies FleetJob);
        await once(child, 'message');
      }),
    );
    return new Fleet(children);
  }

  async state(): Promise<FleetState> {
    const states = await Promise.all(
      this.#children.map(async (child) => {
        child.send('state');
        return (await once(child, 'message'))[0] as FleetState;
      }),
    );
    return {
      connected: states.reduce((sum, { connected }) => sum + connected, 0),
      attemptsAtMs: states.flatMap(({ attemptsAtMs }) => attemptsAtMs).sort((a, b) => a - b),
    };
  }

  end(): void {
    for (const child of this.#children) child.disconnect();
  }
}
