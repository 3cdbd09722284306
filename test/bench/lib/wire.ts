import { randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Hello } from '../../../protocol/frame.ts';
import { AGENT_PATH, SUBPROTOCOL } from '../../../protocol/limits.ts';

/**
 * An agent's connection for load: a raw socket with pre-encoded frames, so that the generator costs little
 * beside the server under test. The mask is zero (a server unmasks all the same), and a frame is a template in
 * which the seven digits of its seq are patched.
 */
const FIRST_SEQ = 1_000_000;
const SEQ_DIGITS = 7;

export class Wire {
  readonly socket: Socket;
  readonly #onAck: (wire: Wire, applied: number) => void;
  #template: Buffer = Buffer.alloc(0);
  #seqAt = 0;
  #next = FIRST_SEQ;
  applied = FIRST_SEQ - 1;
  isClosed = false;
  #rest: Buffer = Buffer.alloc(0);
  #isUpgraded = false;
  #welcomed: () => void = () => {};

  constructor(socket: Socket, onAck: (wire: Wire, applied: number) => void) {
    this.socket = socket;
    this.#onAck = onAck;
  }

  static async open(
    to: { port: number; token: string; localAddress: string; services: readonly string[]; cells: number },
    onAck: (wire: Wire, applied: number) => void,
  ): Promise<Wire> {
    const socket = connect({
      port: to.port,
      host: '127.0.0.1',
      localAddress: to.localAddress,
      noDelay: true,
    });
    const wire = new Wire(socket, onAck);
    socket.on('error', () => {});
    const closed = new Promise<never>((_, reject) => {
      socket.on('close', () => {
        wire.isClosed = true;
        reject(new Error('the server closed the connection before the welcome'));
      });
    });
    closed.catch(() => {});
    const welcomed = new Promise<void>((resolve) => {
      wire.#welcomed = resolve;
    });
    socket.on('data', (data) => wire.#read(data));
    socket.write(
      `GET ${AGENT_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Protocol: ${SUBPROTOCOL}\r\nAuthorization: Bearer ${to.token}\r\n\r\n`,
    );
    const hello: Hello = {
      type: 'hello',
      v: 1,
      producerId: randomUUID(),
      agentId: 'bench',
      services: [...to.services],
      firstRetained: FIRST_SEQ,
      lastSealed: 9_999_999,
      t0: 0,
    };
    socket.write(masked(JSON.stringify(hello)));
    await Promise.race([welcomed, closed]);
    const { frame, seqAt } = template(to.services, to.cells);
    wire.#template = frame;
    wire.#seqAt = seqAt;
    return wire;
  }

  get inFlight(): number {
    return this.#next - 1 - this.applied;
  }

  /** @returns the seqs [first, first + count) that were sent */
  send(count: number): number {
    const first = this.#next;
    const size = this.#template.length;
    const frames = Buffer.allocUnsafe(size * count);
    for (let i = 0; i < count; i += 1) {
      this.#template.copy(frames, i * size);
      frames.write(String(this.#next), i * size + this.#seqAt, SEQ_DIGITS, 'latin1');
      this.#next += 1;
    }
    this.socket.write(frames);
    return first;
  }

  #read(data: Buffer): void {
    let bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, data]) : data;
    if (!this.#isUpgraded) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end >= 0) {
        if (!bytes.subarray(0, end).toString().startsWith('HTTP/1.1 101')) throw new Error(bytes.toString());
        this.#isUpgraded = true;
        bytes = bytes.subarray(end + 4);
      }
    }
    if (!this.#isUpgraded) {
      this.#rest = bytes;
      return;
    }
    let at = 0;
    let applied = this.applied;
    while (at + 2 <= bytes.length) {
      let length = (bytes[at + 1] ?? 0) & 0x7f;
      let start = at + 2;
      if (length === 126) {
        if (at + 4 > bytes.length) break;
        length = bytes.readUInt16BE(at + 2);
        start = at + 4;
      }
      if (start + length > bytes.length) break;
      applied = Math.max(applied, this.#readFrame(bytes, at, start, start + length));
      at = start + length;
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : Buffer.alloc(0);
    if (applied === this.applied) return;
    this.applied = applied;
    this.#onAck(this, applied);
  }

  /** @returns what it acknowledges, 0 for any other frame */
  #readFrame(bytes: Buffer, at: number, start: number, end: number): number {
    const opcode = (bytes[at] ?? 0) & 0x0f;
    if (opcode === 8) {
      this.socket.destroy();
      return 0;
    }
    // Every text starts with {"type":" and the eleventh byte tells which one it is.
    const initial = bytes[start + 9];
    if (initial === 0x61) {
      let applied = 0;
      for (let i = start + ACK_HEAD.length; i < end; i += 1) {
        const digit = (bytes[i] ?? 0) - 0x30;
        if (digit < 0 || digit > 9) break;
        applied = applied * 10 + digit;
      }
      return applied;
    }
    const text = bytes.toString('latin1', start, end);
    if (initial === 0x77) this.#welcomed();
    else if (text.includes('"ping"')) {
      const { t0 } = JSON.parse(text) as { t0: number };
      this.socket.write(masked(JSON.stringify({ type: 'pong', t0, t1: t0, t2: t0 })));
    }
    return 0;
  }
}

const ACK_HEAD = '{"type":"ack","applied":';

/** A batch whose seq is FIRST_SEQ, and the place of the seq's digits. */
export function template(services: readonly string[], cells: number): { frame: Buffer; seqAt: number } {
  const minute = Math.floor(Date.now() / 60_000);
  const text = JSON.stringify({
    type: 'batch',
    epoch: 1,
    seq: FIRST_SEQ,
    digest: '0123456789abcdef',
    minute,
    clockOffsetMs: 0,
    cells: Array.from({ length: cells }, (_, i) => {
      const isFailed = i % 10 === 9;
      return {
        service: services[i % services.length],
        minute: minute - (i % 2),
        region: ['ap-guangzhou', 'ap-shanghai', 'eu-frankfurt'][i % 3],
        platform: ['web-v5', 'native'][i % 2],
        result: isFailed ? 'failed' : 'ok',
        cause: isFailed ? 'provider' : '',
        code: isFailed ? '5400/-10015' : '',
        n: 1,
      };
    }),
    alive: services,
    lost: {},
  });
  const frame = masked(text);
  return { frame, seqAt: frame.indexOf(String(FIRST_SEQ)) };
}

/** One WebSocket text message of a client, its mask zero. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text);
  const header =
    payload.length < 126
      ? Buffer.from([0x81, 0x80 | payload.length])
      : Buffer.from([0x81, 0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  if (payload.length > 0xffff) throw new Error('a frame of a benchmark has at most 64 KiB');
  return Buffer.concat([header, Buffer.alloc(4), payload]);
}
