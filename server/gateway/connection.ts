import type { RawData } from 'ws';
import { WebSocket } from 'ws';
import { CLOSE_CODES, type CloseName } from '../../protocol/close-codes.ts';
import { decodeAgentFrame, encodeFrame } from '../../protocol/codec.ts';
import type { Batch, DaemonFrame, Hello, Pong, Skip } from '../../protocol/frame.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Ingest } from '../ingest/ingest.ts';
import type { Session, SessionPeer } from '../ingest/session.ts';
import type { Log } from '../log.ts';
import { readClock } from './clock.ts';
import type { GatewayLimits, GatewayObserver, Grant, RefusalReason } from './options.ts';
import type { OwedAcks } from './owed-acks.ts';
import { VISITS_PER_HEARTBEAT } from './rounds.ts';
import type { Turns, TurnTaker } from './turns.ts';

/** Bytes of a close reason, by RFC 6455. */
const CLOSE_REASON_BYTES = 123;
/**
 * Batches of one agent that are decoded and not yet in the books; the next ones wait as bytes. Rounds of store
 * calls are milliseconds apart, so more would only be more objects for the garbage collector to carry along.
 */
const DECODED_AHEAD = 16;
/** Frames besides batches (ping, pong, hello) that may wait together with a full credit of batches. */
const CONTROL_FRAMES = 16;
/** An agent that goes on sending is acknowledged this often in each credit of batches. */
const ACKS_PER_CREDIT = 4;
/** Milliseconds after which an agent that was told to retry may come again. */
const RETRY_AFTER_MS = 2_000;

/** A WebSocket that knows its connection, so that all sockets share one set of listeners. */
export class AgentSocket extends WebSocket {
  connection: Connection | null = null;
}

/** What all connections share. */
export interface ConnectionContext {
  readonly ingest: Ingest;
  readonly turns: Turns;
  readonly owedAcks: OwedAcks;
  /** Bytes of frames of all connections that wait for their turn. */
  readonly queued: { bytes: number };
  readonly limits: GatewayLimits;
  readonly observer: GatewayObserver;
  readonly storeId: () => Promise<string>;
  readonly nowMs: () => number;
  readonly log: Log;
  isDraining(): boolean;
  /** Over how long the agents connected now should spread when they come back. */
  spreadMs(): number;
  greeted(connection: Connection): void;
}

/**
 * One agent's connection: what it may say when, and what it is told. One exists for each of ten thousand idle
 * agents, so it holds no timer and makes no closure for a frame.
 */
export class Connection implements SessionPeer, TurnTaker {
  readonly address: string;
  readonly grant: Grant;
  readonly connectedAtMs: number;
  isInLine = false;
  /** Services named in hello. */
  services: readonly string[] = [];
  readonly #socket: AgentSocket;
  readonly #context: ConnectionContext;
  #state: 'greeting' | 'opening' | 'open' | 'closed' = 'greeting';
  #session: Session | null = null;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #wasHeard = true;
  #visits = 0;
  /** Visits in a row before which nothing was heard. */
  #silentVisits = 0;
  /** When the last ping left, by our clock; 0 when it was answered. */
  #pingedAtMs = 0;
  /** The last `applied` that the agent was told. */
  #acknowledged = 0;
  /** A seq that came with another content; nothing more is taken. */
  #conflictSeq: number | null = null;
  /** Samples since the best one was taken. */
  #clockSamples = 0;

  constructor(socket: AgentSocket, peer: { grant: Grant; address: string }, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.grant = peer.grant;
    this.address = peer.address;
    this.connectedAtMs = context.nowMs();
  }

  get isGreeting(): boolean {
    return this.#state === 'greeting';
  }

  /** Takes a message off the socket; it is decoded when its turn comes. */
  receive(data: RawData, isBinary: boolean): void {
    if (this.#state === 'closed') return;
    this.#wasHeard = true;
    if (this.#context.isDraining()) return;
    // The server keeps the default binaryType, so a message is one Buffer.
    if (isBinary || !(data instanceof Buffer)) {
      this.#badFrame('the frame is binary; send text');
      return;
    }
    const { limits, turns, queued } = this.#context;
    this.#queue.push(data);
    this.#queuedBytes += data.length;
    queued.bytes += data.length;
    if (this.#queue.length > 2 * (limits.credit + CONTROL_FRAMES)) {
      this.close('creditExceeded', `more than ${limits.credit} batches in flight; wait for ack`, 'credit');
      // What it goes on sending is not even read.
      this.#socket.pause();
      return;
    }
    const isMuch = this.#queue.length > limits.queuedFrames || this.#queuedBytes > limits.queuedBytes;
    if (isMuch || queued.bytes > limits.queuedBytesInAll) this.#socket.pause();
    turns.join(this);
  }

  hasWork(): boolean {
    if (this.#queue.length === 0 || this.#state === 'opening' || this.#conflictSeq !== null) return false;
    return this.#session === null || this.#session.waiting.length < DECODED_AHEAD;
  }

  takeTurn(): number {
    const data = this.#queue.shift();
    if (data === undefined) return 0;
    const { limits, queued } = this.#context;
    this.#queuedBytes -= data.length;
    queued.bytes -= data.length;
    if (
      this.#socket.isPaused &&
      this.#queue.length <= limits.queuedFrames / 2 &&
      this.#queuedBytes <= limits.queuedBytes / 2
    ) {
      this.#socket.resume();
    }
    this.#decode(data);
    return data.length;
  }

  acknowledged(applied: number): void {
    const { limits, owedAcks, turns } = this.#context;
    // While more of it is on its way, one acknowledgement for many saves the agent and us a system call each.
    const isMoreComing = this.#queue.length > 0 || (this.#session?.waiting.length ?? 0) > 0;
    if (isMoreComing && applied - this.#acknowledged < limits.credit / ACKS_PER_CREDIT) owedAcks.add(this);
    else this.acknowledge();
    this.#tellConflict();
    turns.join(this);
  }

  /** Says how far its batches are in the books. */
  acknowledge(): void {
    if (this.#session === null) return;
    this.#acknowledged = this.#session.applied;
    this.send({ type: 'ack', applied: this.#acknowledged, credit: this.#context.limits.credit });
  }

  rewound(from: number): void {
    this.send({ type: 'nack', kind: 'rewind', from });
    this.#context.turns.join(this);
  }

  fenced(): void {
    this.send({ type: 'nack', kind: 'fenced' });
    this.close('fenced', 'a newer connection of this producer took over', 'fenced');
  }

  conflicted(seq: number): void {
    this.send({ type: 'nack', kind: 'conflict', seq });
    const reason = `the books hold another batch ${seq} of this producer; the spool needs a new identity`;
    this.close('conflict', reason, 'conflict');
  }

  /** Several visits in each heartbeat: the end of a peer that is silent, and at the first of them a ping. */
  beat(): void {
    if (this.#state === 'closed') return;
    // A paused socket cannot be heard, and it was we who paused it.
    const isSilent = !this.#wasHeard && !this.#socket.isPaused;
    this.#silentVisits = isSilent ? this.#silentVisits + 1 : 0;
    this.#wasHeard = false;
    if (this.#silentVisits >= LIMITS.missedHeartbeats * VISITS_PER_HEARTBEAT) {
      this.close('deadPeer', 'no heartbeat was answered', 'dead-peer');
      this.#socket.terminate();
      return;
    }
    this.#visits += 1;
    if (this.#state !== 'open' || this.#visits % VISITS_PER_HEARTBEAT !== 1) return;
    this.#pingedAtMs = this.#context.nowMs();
    this.send({ type: 'ping', t0: this.#pingedAtMs, spreadMs: this.#context.spreadMs() });
  }

  send(frame: DaemonFrame): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(encodeFrame(frame));
    if (this.#socket.bufferedAmount <= this.#context.limits.bufferedBytes) return;
    this.close('overload', 'the agent does not read its acknowledgements', 'slow-reader');
    this.#socket.terminate();
  }

  /** @param reason  cut at 123 bytes */
  close(name: CloseName, reason: string, refusal: RefusalReason | null): void {
    if (this.#state === 'closed') return;
    if (refusal !== null) this.#context.observer.refused(refusal);
    this.#state = 'closed';
    this.#dropQueue();
    // Its close frame must be read.
    if (this.#socket.isPaused) this.#socket.resume();
    this.#socket.close(CLOSE_CODES[name].code, cutText(reason, CLOSE_REASON_BYTES));
    const level = refusal === null ? 'debug' : 'info';
    this.#context.log[level](
      { agent: this.grant.agentLabel, address: this.address, close: name, reason },
      'agent closed',
    );
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** The socket is gone. */
  gone(): void {
    this.#state = 'closed';
    this.#dropQueue();
    if (this.#session !== null) this.#context.ingest.closeSession(this.#session);
    this.#session = null;
  }

  #decode(data: Buffer): void {
    const decoded = decodeAgentFrame(data.toString());
    if (!decoded.ok) {
      this.#badFrame(decoded.fault.message, data);
      return;
    }
    const { frame } = decoded;
    switch (frame.type) {
      case 'batch':
      case 'skip':
        this.#submit(frame, data);
        return;
      case 'hello':
        this.#greet(frame);
        return;
      case 'ping':
        this.#answerPing(frame.t0);
        return;
      case 'pong':
        this.#readPong(frame);
        return;
    }
  }

  #dropQueue(): void {
    this.#context.queued.bytes -= this.#queuedBytes;
    this.#queuedBytes = 0;
    this.#queue = [];
  }

  #greet(hello: Hello): void {
    const receivedAtMs = this.#context.nowMs();
    if (this.#state !== 'greeting') {
      this.#badFrame('type: hello was already said on this connection');
      return;
    }
    const { services: granted } = this.grant;
    const isCovered = (service: string) => granted === 'all' || granted.has(service);
    const services = hello.services.filter(isCovered);
    const refused = hello.services.filter((service) => !isCovered(service));
    // One name too many, as a typo makes, must not cost an agent the services that it has every right to.
    if (services.length === 0) {
      this.#forbid(refused[0] ?? '');
      return;
    }
    this.#state = 'opening';
    this.#open({ ...hello, services, refused }, receivedAtMs).catch((error: unknown) => {
      this.#context.log.error({ error }, 'a session could not be opened');
      this.#storeUnavailable('the daemon met a fault; see its log');
    });
  }

  async #open(hello: Hello & { readonly refused: string[] }, receivedAtMs: number): Promise<void> {
    const { ingest, limits, nowMs, storeId, log } = this.#context;
    const { refused } = hello;
    const opened = await ingest.openSession(hello, this);
    if (opened.status === 'unavailable') {
      this.#storeUnavailable(opened.message);
      return;
    }
    if (opened.status === 'fenced') {
      this.fenced();
      return;
    }
    if (opened.status === 'conflict') {
      this.conflicted(opened.seq);
      return;
    }
    const { session, appliedDigest, furthest } = opened;
    let id: string;
    try {
      id = await storeId();
    } catch (error) {
      ingest.closeSession(session);
      this.#storeUnavailable((error as Error).message);
      return;
    }
    // The socket may have closed, or a newer session may have fenced this one, while the store was asked.
    if (this.#state !== 'opening' || session.isOver) {
      ingest.closeSession(session);
      return;
    }
    this.#session = session;
    this.#acknowledged = session.applied;
    this.#state = 'open';
    this.services = [...session.tracks.keys()];
    this.#context.greeted(this);
    if (refused.length > 0) {
      const { agentLabel: agent } = this.grant;
      log.warn(
        { agent, address: this.address, services: refused },
        'the token does not cover services of an agent: their outcomes are lost; correct the names or the token',
      );
    }
    this.send({
      type: 'welcome',
      epoch: session.epoch,
      storeId: id,
      applied: session.applied,
      appliedDigest,
      ...(furthest && { furthest: { seq: furthest.seq, digest: furthest.digest } }),
      ...(refused.length > 0 && { refused }),
      credit: limits.credit,
      limits: { framePayloadBytes: limits.framePayloadBytes, cellsPerBatch: LIMITS.cellsPerBatch },
      heartbeatMs: limits.heartbeatMs,
      t0: hello.t0,
      t1: receivedAtMs,
      t2: nowMs(),
    });
    this.#pingedAtMs = nowMs();
    this.send({ type: 'ping', t0: this.#pingedAtMs, spreadMs: this.#context.spreadMs() });
    this.#context.turns.join(this);
  }

  #submit(frame: Batch | Skip, raw: Buffer): void {
    const session = this.#session;
    if (session === null) {
      this.#badFrame(`type: ${frame.type} came before hello; say hello first`);
      return;
    }
    const submitted = this.#context.ingest.submit(session, frame, raw);
    switch (submitted.status) {
      case 'taken':
      case 'passed':
        return;
      case 'again':
        this.acknowledge();
        return;
      case 'early':
        this.rewound(session.next);
        return;
      case 'fenced':
        this.fenced();
        return;
      case 'conflict':
        this.#conflictSeq = frame.type === 'batch' ? frame.seq : frame.to;
        this.#tellConflict();
        return;
      case 'unknown-epoch':
        this.#badFrame(`epoch: ${frame.epoch} was never given; this connection has ${session.epoch}`);
        return;
      case 'stranger': {
        const { service } = submitted;
        const { services: granted } = this.grant;
        if (granted !== 'all' && !granted.has(service)) {
          this.#context.ingest.refuse();
          this.#forbid(service);
          return;
        }
        this.#badFrame(`service: ${service} was not named in hello; connect again and name it`);
        return;
      }
    }
  }

  /** An agent takes a conflict as word that all before it is counted, so what was taken is applied first. */
  #tellConflict(): void {
    if (this.#conflictSeq !== null && this.#session?.waiting.length === 0) this.conflicted(this.#conflictSeq);
  }

  #answerPing(t0: number): void {
    const t1 = this.#context.nowMs();
    this.send({ type: 'pong', t0, t1, t2: t1 });
  }

  #readPong(pong: Pong): void {
    if (this.#session === null || pong.t0 !== this.#pingedAtMs || this.#pingedAtMs === 0) return;
    this.#pingedAtMs = 0;
    const kept = readClock(this.#session.clock, this.#clockSamples, pong, this.#context.nowMs());
    this.#clockSamples = kept.samples;
    this.#session.clock = kept.clock;
  }

  #forbid(service: string): void {
    this.close('forbidden', `the token does not cover the service ${service}`, 'forbidden-service');
  }

  #storeUnavailable(message: string): void {
    this.send({ type: 'nack', kind: 'retry', afterMs: RETRY_AFTER_MS });
    this.close('overload', message, 'store-unavailable');
  }

  #badFrame(message: string, data?: Buffer): void {
    this.#context.ingest.refuse();
    const seq = data === undefined ? null : this.#rejectableSeq(data);
    if (seq !== null)
      this.send({ type: 'nack', kind: 'reject', seq, reason: cutText(message, REJECT_REASON_BYTES) });
    this.close('badFrame', message, 'bad-frame');
  }

  /**
   * The seq of a batch that is not valid and whose turn it is. Only then is it rejected by name: it would come
   * again after every reconnect and hold up all that follow.
   */
  #rejectableSeq(data: Buffer): number | null {
    let value: unknown;
    try {
      value = JSON.parse(data.toString());
    } catch {
      return null;
    }
    if (typeof value !== 'object' || value === null || this.#session === null) return null;
    const { type, seq } = value as { readonly type?: unknown; readonly seq?: unknown };
    return type === 'batch' && seq === this.#session.next ? this.#session.next : null;
  }
}

/** Bytes of the reason of a rejected batch. */
const REJECT_REASON_BYTES = 256;

/** Cuts a text at a number of UTF-8 bytes, never inside a character. */
function cutText(text: string, bytes: number): string {
  const buffer = Buffer.from(text);
  if (buffer.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && ((buffer[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return buffer.toString('utf8', 0, end);
}
