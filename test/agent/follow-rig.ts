import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AgentOptions, type RunningAgent, startAgent } from '../../agent/app.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

/** One line that counts 10^digit: a sum tells which lines were counted, and how often. */
export function line(digit: number): string {
  return `${JSON.stringify({ result: 'ok', count: 10 ** digit })}\n`;
}

/** An agent that follows a file, with a clock that a test moves so that it need not wait for files to rest. */
export class FollowRig {
  /** What the agent logged. */
  readonly told: string[] = [];
  skewMs = 0;
  readonly folder: string;
  readonly spool: string;
  readonly peer: Peer;
  #agent: RunningAgent | undefined;

  private constructor({ folder, spool, peer }: { folder: string; spool: string; peer: Peer }) {
    this.folder = folder;
    this.spool = spool;
    this.peer = peer;
  }

  static async open(): Promise<FollowRig> {
    // On a disk: file systems in memory do not give a new file the inode of a deleted one.
    const folder = await mkdtemp(join(tmpdir(), 'roomwatch-follow-'));
    // A folder that was made in this very moment does not tell whether births are kept.
    await sleep(20);
    writeFileSync(join(folder, 'other'), '');
    return new FollowRig({ folder, spool: await temporaryFolder(), peer: await startPeer() });
  }

  get path(): string {
    return join(this.folder, 'entries.log');
  }

  /** The one that was started last and not stopped. */
  get agent(): RunningAgent {
    if (!this.#agent) throw new Error('the agent was not started');
    return this.#agent;
  }

  async start(options: Partial<AgentOptions> = {}): Promise<void> {
    const tell = (...[, message]: readonly unknown[]) => void this.told.push(String(message));
    this.#agent = await startAgent({
      server: this.peer.url,
      token: async () => 'token',
      spoolDirectory: join(this.spool, 'spool'),
      services: ['acme'],
      follow: [this.path],
      clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() + this.skewMs },
      log: { debug: tell, info: tell, warn: tell, error: tell },
      ...options,
    });
  }

  async stop(flushMs = 1_000): Promise<void> {
    await this.#agent?.stop(flushMs);
    this.#agent = undefined;
  }

  async close(): Promise<void> {
    await this.stop(0);
    await this.peer.stop();
    for (const one of [this.folder, this.spool]) await rm(one, { recursive: true, force: true });
  }

  async counted(sum: number): Promise<void> {
    // The connection has the same clock, and ends when it hears nothing for half a minute of it.
    const mostSkewMs = this.skewMs + 24_000;
    await waitFor(
      `${sum} outcomes`,
      async () => {
        // What rests has rested long enough.
        this.skewMs = Math.min(this.skewMs + 3_000, mostSkewMs);
        await this.agent.spool.seal();
        await this.agent.flush(1_000);
        const { ok } = this.peer.totals();
        if (ok !== sum) throw new Error(`counted ${ok}`);
        return true;
      },
      { withinMs: 15_000 },
    );
  }
}
