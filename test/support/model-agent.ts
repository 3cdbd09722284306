import { randomUUID } from 'node:crypto';
import type { Batch, Cell } from '../../protocol/frame.ts';
import type { Ingest } from '../../server/ingest/ingest.ts';
import type { Session, SessionPeer } from '../../server/ingest/session.ts';
import type { seededRandom } from './random.ts';
import { failedCell, cell as okCell } from './raw-agent.ts';

type Random = ReturnType<typeof seededRandom>;

/**
 * An agent by the rules of delivery, without a wire: seals batches that never change, keeps all of them, sends
 * within its credit, goes back when asked, and says hello again when it was fenced.
 */
export class ModelAgent {
  readonly producerId = randomUUID();
  readonly services: readonly string[];
  /** Sealed batches; index = seq - 1. */
  readonly sealed: Omit<Batch, 'epoch'>[] = [];
  applied = 0;
  /** The highest seq that was ever acknowledged. */
  highestApplied = 0;
  rewinds = 0;
  #next = 1;
  #session: Session | null = null;
  #ingest: Ingest;
  #isOpening = false;
  readonly #daemons: readonly Ingest[];
  readonly #random: Random;

  /** @param daemons  it connects to any of them, and now and then forgets to hang up at the last one */
  constructor(daemons: readonly Ingest[], services: readonly string[], random: Random) {
    this.#daemons = daemons;
    this.#ingest = random.pick(daemons);
    this.services = services;
    this.#random = random;
  }

  get isSettled(): boolean {
    return this.applied === this.sealed.length;
  }

  seal(minute: number): void {
    const seq = this.sealed.length + 1;
    const cells: Cell[] = Array.from({ length: this.#random.integer(0, 4) }, () => {
      const parts = {
        service: this.#random.pick(this.services),
        minute: minute - this.#random.integer(0, 3),
        n: this.#random.integer(1, 9),
      };
      return this.#random.next() < 0.3 ? failedCell(parts) : okCell(parts);
    });
    const alive = this.services.filter(() => this.#random.next() < 0.7);
    const digest = seq.toString(16).padStart(16, '0');
    this.sealed.push({ type: 'batch', seq, digest, minute, clockOffsetMs: 0, cells, alive, lost: {} });
  }

  async hello(): Promise<void> {
    if (this.#isOpening) return;
    this.#isOpening = true;
    if (this.#random.next() < 0.5) this.disconnect();
    this.#session = null;
    this.#ingest = this.#random.pick(this.#daemons);
    const { producerId, services } = this;
    const hello = { producerId, services: [...services], firstRetained: 1, lastSealed: this.sealed.length };
    let session: Session | null = null;
    const isMine = () => session !== null && this.#session === session;
    const peer: SessionPeer = {
      acknowledged: (applied) => isMine() && this.#acknowledged(applied),
      rewound: (from) => isMine() && this.#rewound(from),
      fenced: () => {
        if (isMine()) this.#session = null;
      },
      conflicted: (seq) => {
        throw new Error(`a conflict at ${seq}`);
      },
    };
    const opened = await this.#ingest.openSession(hello, peer);
    this.#isOpening = false;
    if (opened.status === 'conflict') throw new Error(`a conflict at ${opened.seq}`);
    if (opened.status !== 'open') return;
    session = opened.session;
    this.#session = session;
    this.applied = session.applied;
    this.#next = this.applied + 1;
  }

  disconnect(): void {
    if (this.#session !== null) this.#ingest.closeSession(this.#session);
    this.#session = null;
  }

  /** Sends up to `count` batches, now and then one twice or one too far ahead. */
  send(count: number, creditBatches = 64): void {
    for (let i = 0; i < count; i += 1) {
      const session = this.#session;
      if (session === null || this.#next > this.sealed.length || this.#next > this.applied + creditBatches)
        return;
      const slip = this.#random.next();
      if (slip < 0.03) this.#submit(this.#random.integer(1, this.#next));
      else if (slip < 0.05) this.#submit(Math.min(this.sealed.length, this.#next + 2));
      this.#submit(this.#next);
    }
  }

  get isConnected(): boolean {
    return this.#session !== null;
  }

  #acknowledged(applied: number): void {
    this.applied = applied;
    this.highestApplied = Math.max(this.highestApplied, applied);
  }

  #rewound(from: number): void {
    this.rewinds += 1;
    this.#next = from;
    this.applied = Math.min(this.applied, from - 1);
  }

  #submit(seq: number): void {
    const session = this.#session;
    const batch = this.sealed[seq - 1];
    if (session === null || batch === undefined) return;
    if (seq === this.#next) this.#next += 1;
    const frame: Batch = { ...batch, epoch: session.epoch };
    const submitted = this.#ingest.submit(session, frame, Buffer.from(JSON.stringify(frame)));
    switch (submitted.status) {
      case 'early':
        this.#rewound(session.next);
        break;
      case 'again':
        this.#acknowledged(session.applied);
        break;
      case 'fenced':
        this.#session = null;
        break;
      case 'taken':
      case 'passed':
        break;
      default:
        throw new Error(`batch ${seq} was answered with ${submitted.status}`);
    }
  }
}

/** What the books must hold of a service when every batch of these agents is applied exactly once. */
export function owed(agents: readonly ModelAgent[], service: string): number[] {
  const tallies = [0, 0, 0, 0, 0];
  for (const { sealed } of agents) {
    for (const { cells } of sealed) {
      for (const one of cells) {
        if (one.service !== service) continue;
        tallies[0] = (tallies[0] ?? 0) + one.n;
        if (one.cause === 'provider') tallies[1] = (tallies[1] ?? 0) + one.n;
      }
    }
  }
  return tallies;
}
