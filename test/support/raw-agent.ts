import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import { decodeDaemonFrame } from '../../protocol/codec.ts';
import type { AgentFrame, Batch, Cell, DaemonFrame, Hello, Skip, Welcome } from '../../protocol/frame.ts';
import { AGENT_PATH, SUBPROTOCOL } from '../../protocol/limits.ts';
import { TOKEN } from './daemon-edge.ts';

type FrameOf<T extends DaemonFrame['type']> = Extract<DaemonFrame, { readonly type: T }>;

/** An agent's end of the wire, by hand: it says what a test wants said, valid or not. */
export class RawAgent {
  readonly socket: WebSocket;
  readonly producerId: string;
  epoch = 0;
  /** Every frame received and not yet taken by `next`. */
  readonly frames: DaemonFrame[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #wake: () => void = () => {};

  private constructor(socket: WebSocket, producerId: string) {
    this.socket = socket;
    this.producerId = producerId;
    socket.on('message', (data: Buffer) => {
      const decoded = decodeDaemonFrame(data.toString());
      if (!decoded.ok) throw new Error(`the daemon sent a bad frame: ${decoded.fault.message}`);
      this.frames.push(decoded.frame);
      this.#wake();
    });
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  static async connect(port: number, peer: { token?: string; producerId?: string } = {}): Promise<RawAgent> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${AGENT_PATH}`, SUBPROTOCOL, {
      headers: { authorization: `Bearer ${peer.token ?? TOKEN}` },
      perMessageDeflate: false,
    });
    const agent = new RawAgent(socket, peer.producerId ?? randomUUID());
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return agent;
  }

  /** Connects, says hello and waits for the welcome. */
  static async greet(
    port: number,
    hello: Partial<Hello> = {},
    token?: string,
  ): Promise<{ readonly agent: RawAgent; readonly welcome: Welcome }> {
    const agent = await RawAgent.connect(port, {
      ...(token === undefined ? {} : { token }),
      ...(hello.producerId === undefined ? {} : { producerId: hello.producerId }),
    });
    agent.send(agent.hello(hello));
    const welcome = await agent.next('welcome');
    agent.epoch = welcome.epoch;
    return { agent, welcome };
  }

  hello(parts: Partial<Hello> = {}): Hello {
    return {
      type: 'hello',
      v: 1,
      producerId: this.producerId,
      agentId: 'raw',
      services: ['acme'],
      firstRetained: 1,
      lastSealed: 1_000_000,
      t0: Date.now(),
      ...parts,
    };
  }

  batch(seq: number, parts: Partial<Batch> = {}): Batch {
    const minute = minuteNow();
    return {
      type: 'batch',
      epoch: this.epoch,
      seq,
      digest: seq.toString(16).padStart(16, '0'),
      minute,
      clockOffsetMs: 0,
      cells: [cell({ minute })],
      alive: ['acme'],
      lost: {},
      ...parts,
    };
  }

  skip(from: number, to: number, parts: Partial<Skip> = {}): Skip {
    return { type: 'skip', epoch: this.epoch, from, to, reason: 'damaged', outcomes: 0, ...parts };
  }

  send(frame: AgentFrame | string): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** The next frame of a type, or of one of several; others that came before it stay in `frames`. */
  async next<T extends DaemonFrame['type']>(type: T | readonly T[], withinMs = 5_000): Promise<FrameOf<T>> {
    const types: readonly string[] = [type].flat();
    const deadlineMs = performance.now() + withinMs;
    for (;;) {
      const index = this.frames.findIndex((frame) => types.includes(frame.type));
      if (index >= 0) return this.frames.splice(index, 1)[0] as FrameOf<T>;
      const leftMs = deadlineMs - performance.now();
      if (leftMs <= 0)
        throw new Error(`no ${types.join(' or ')} within ${withinMs} ms; got ${JSON.stringify(this.frames)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Waits until everything up to `seq` is acknowledged. */
  async acknowledged(seq: number, withinMs = 5_000): Promise<void> {
    while ((await this.next('ack', withinMs)).applied < seq);
  }

  async end(): Promise<void> {
    this.socket.terminate();
    await this.closed;
  }
}

export function minuteNow(): number {
  return Math.floor(Date.now() / 60_000);
}

export function cell(parts: Partial<Cell> = {}): Cell {
  return {
    service: 'acme',
    minute: minuteNow(),
    region: 'ap-guangzhou',
    platform: 'web-v5',
    result: 'ok',
    cause: '',
    code: '',
    n: 1,
    ...parts,
  };
}

/** A failed one. */
export function failedCell(parts: Partial<Cell> = {}): Cell {
  return cell({ result: 'failed', cause: 'provider', code: '5400/-10015', ...parts });
}
