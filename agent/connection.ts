import { WebSocket } from 'ws';
import { CLOSE_CODES } from '../protocol/close-codes.ts';
import { decodeDaemonFrame, encodeFrame } from '../protocol/codec.ts';
import type { AgentFrame, DaemonFrame, Nack, Welcome } from '../protocol/frame.ts';
import { LIMITS, SUBPROTOCOL } from '../protocol/limits.ts';
import type { Clock } from './clock.ts';
import { ClockOffset } from './clock-offset.ts';
import { type Ended, endingOfClose, endingOfStatus, type Retry } from './ending.ts';
import { Sender } from './sender.ts';
import { readBatch } from './spool/batch-record.ts';
import type { Gap } from './spool/segment-content.ts';
import type { Spool } from './spool/spool.ts';

export interface ConnectionSettings {
  /** From the first packet to the welcome. */
  readonly welcomeWithinMs: number;
  /** Batches in flight that make no progress for so long end the connection. */
  readonly stalledMs: number;
  /** A second between the first exchanges about the clock; the heartbeat later. */
  readonly clockSampleMs: number;
  /** A daemon that asks for faster heartbeats is served this. */
  readonly minHeartbeatMs: number;
  /** Batches of a backlog sent in a second. */
  readonly replayBatchesPerSecond: number;
}

export const CONNECTION: ConnectionSettings = {
  welcomeWithinMs: 15_000,
  stalledMs: 120_000,
  clockSampleMs: 1_000,
  minHeartbeatMs: 1_000,
  replayBatchesPerSecond: 500,
};

export interface ConnectionOptions {
  readonly url: string;
  readonly token: string;
  readonly agentId: string;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly settings: ConnectionSettings;
  /** Whether a batch was sealed just now. */
  readonly isLive: (seq: number) => boolean;
  readonly on: ConnectionEvents;
}

export interface ConnectionEvents {
  welcomed(welcome: Welcome): void;
  acknowledged(batches: number): void;
  rewound(from: number): void;
  rejected(seq: number, reason: string): void;
  /** Batches that the daemon needs are no longer here. */
  gone(gap: Gap): void;
  clockMeasured(offset: ClockOffset): void;
  /** Over how long the daemon wants its agents spread when they come back; see `Backoff`. */
  spreadTold(told: { readonly spreadMs: number; readonly lastedMs: number }): void;
}

/**
 * One connection to the daemon, from the dial to the end. It says hello, sends what the spool holds and keeps
 * to the daemon's credit; whatever goes wrong ends it with a reason, and the spool still has everything.
 */
export class Connection {
  readonly ended: Promise<Ended>;
  readonly #options: ConnectionOptions;
  readonly #socket: WebSocket;
  readonly #sender: Sender;
  readonly #clockOffset: ClockOffset;
  readonly #timers = new Set<NodeJS.Timeout>();
  #settle: (ended: Ended) => void = () => {};
  #isOver = false;
  #isAnnouncing = false;
  #isSampling = false;
  #welcomedAtMs: number | undefined;
  #heardAtMs: number;
  #retry: Retry | undefined;
  #pendingFrames: Promise<void> = Promise.resolve();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#heardAtMs = options.clock.monotonicMs();
    this.#clockOffset = new ClockOffset(options.clock.nowMs(), options.clock.monotonicMs());
    this.#socket = new WebSocket(options.url, [SUBPROTOCOL], {
      headers: { authorization: `Bearer ${options.token}` },
      perMessageDeflate: false,
      maxPayload: LIMITS.framePayloadBytes,
      handshakeTimeout: options.settings.welcomeWithinMs,
      followRedirects: false,
    });
    this.#sender = new Sender({
      spool: options.spool,
      clock: options.clock,
      batchesPerSecond: options.settings.replayBatchesPerSecond,
      isLive: options.isLive,
      send: (text) => this.#sendText(text),
      bufferedBytes: () => this.#socket.bufferedAmount,
      gone: (gap) => options.on.gone(gap),
      failed: (error) => this.#end('spool-failed', error.message),
    });
    this.#listen();
  }

  get isWelcomed(): boolean {
    return this.#welcomedAtMs !== undefined && !this.#isOver;
  }

  /** Something was sealed. */
  wake(): void {
    this.#sender.pump();
  }

  /** Ends the connection so that the next hello names all services. */
  announceServices(): void {
    // Not greeted yet: the hello will name it.
    if (this.#socket.readyState === WebSocket.CONNECTING) return;
    this.#isAnnouncing = true;
    this.#sender.stop();
    this.#later(ANNOUNCE_AFTER_MS, () => {
      this.#end('services-changed', 'a new service reported; saying hello again', { kind: 'soon' });
    });
  }

  /** Our clock was set: what is known of it is measured anew. */
  clockWasSet(): void {
    this.#clockOffset.forget();
    if (this.isWelcomed && !this.#isSampling) this.#sampleClock();
  }

  close(): void {
    this.#end('stopped', 'the agent stops', { kind: 'soon' });
  }

  #listen(): void {
    const socket = this.#socket;
    this.#later(this.#options.settings.welcomeWithinMs, () => {
      if (this.#welcomedAtMs === undefined)
        this.#end('no-welcome', 'the daemon did not answer hello in time');
    });
    socket.on('open', () => this.#sayHello());
    socket.on('unexpected-response', (request, response) => {
      const { result, message, retry } = endingOfStatus(response, this.#options.clock.nowMs());
      this.#end(result, message, retry);
      request.destroy();
    });
    socket.on('message', (data, isBinary) => {
      if (this.#isOver) return;
      this.#heardAtMs = this.#options.clock.monotonicMs();
      // The default binaryType gives one Buffer for a message.
      if (isBinary || !(data instanceof Buffer)) this.#badFrame('the frame is binary; text was agreed');
      else this.#receive(data.toString('utf8'));
    });
    socket.on('error', (error) => this.#end('unreachable', error.message));
    socket.on('close', (code, reason) => this.#closed(code, reason.toString('utf8')));
  }

  #sayHello(): void {
    const { spool, agentId, clock } = this.#options;
    this.#send({
      type: 'hello',
      v: 1,
      producerId: spool.producerId,
      agentId,
      services: [...spool.services],
      firstRetained: spool.firstOffered,
      lastSealed: spool.lastSealed,
      t0: clock.nowMs(),
    });
  }

  #receive(text: string): void {
    const receivedAtMs = this.#options.clock.nowMs();
    const decoded = decodeDaemonFrame(text);
    if (!decoded.ok) {
      this.#badFrame(decoded.fault.message);
      return;
    }
    const { frame } = decoded;
    // Pongs are about time, so they do not wait their turn.
    if (frame.type === 'pong') {
      this.#clockOffset.add({ ...frame, t3: receivedAtMs }, this.#options.clock.monotonicMs());
      this.#options.on.clockMeasured(this.#clockOffset);
    } else if (frame.type === 'ping') {
      this.#send({ type: 'pong', t0: frame.t0, t1: receivedAtMs, t2: this.#options.clock.nowMs() });
      const { spreadMs } = frame;
      if (spreadMs !== undefined) this.#options.on.spreadTold({ spreadMs, lastedMs: this.#lastedMs() });
    } else {
      this.#pendingFrames = this.#pendingFrames
        .then(() => this.#obey(frame, receivedAtMs))
        .catch((error: Error) => this.#end('spool-failed', error.message));
    }
  }

  async #obey(frame: Exclude<DaemonFrame, { type: 'ping' | 'pong' }>, receivedAtMs: number): Promise<void> {
    if (this.#isOver) return;
    const isEarly = frame.type === 'ack' || (frame.type === 'nack' && STREAM_NACKS.has(frame.kind));
    if (this.isWelcomed ? frame.type === 'welcome' : isEarly) {
      this.#badFrame(`type: ${frame.type} came ${this.isWelcomed ? 'twice' : 'before the welcome'}`);
      return;
    }
    switch (frame.type) {
      case 'welcome':
        await this.#beWelcomed(frame, receivedAtMs);
        return;
      case 'ack':
        if (frame.applied > this.#options.spool.lastSealed) this.#conflict(frame.applied);
        else this.#options.on.acknowledged(this.#sender.acknowledge(frame.applied, frame.credit));
        return;
      case 'nack':
        await this.#obeyNack(frame);
        return;
      case 'drain':
        // The daemon ends the connection when it has acknowledged what it took.
        this.#sender.stop();
        this.#retry = { kind: 'asked', afterMs: frame.afterMs, spreadMs: frame.spreadMs };
        return;
    }
  }

  async #beWelcomed(welcome: Welcome, receivedAtMs: number): Promise<void> {
    const { spool, clock, on, settings } = this.#options;
    const { applied, appliedDigest, furthest, t0, t1, t2 } = welcome;
    this.#clockOffset.add({ t0, t1, t2, t3: receivedAtMs }, clock.monotonicMs());
    on.clockMeasured(this.#clockOffset);
    if (applied > spool.lastSealed || (await this.#isOther(applied, appliedDigest))) {
      this.#conflict(applied);
      return;
    }
    if (furthest && (await this.#isOther(furthest.seq, furthest.digest))) {
      this.#conflict(furthest.seq);
      return;
    }
    // The welcome answers a hello that lacks the newest service: a batch that names it would be refused.
    if (this.#isOver || this.#isAnnouncing) return;
    this.#welcomedAtMs = clock.monotonicMs();
    on.welcomed(welcome);
    on.acknowledged(this.#sender.start({ epoch: welcome.epoch, applied, credit: welcome.credit }));
    this.#beat(Math.max(welcome.heartbeatMs, settings.minHeartbeatMs));
    this.#sampleClock();
  }

  /** Whether the daemon's batch of this number is another one than ours. */
  async #isOther(seq: number, digest: string): Promise<boolean> {
    const { spool } = this.#options;
    if (digest === '' || seq < spool.firstRetained || seq < 1) return false;
    const [entry] = await spool.entriesFrom(seq, 1);
    return entry?.kind === 'batch' && readBatch(entry).digest !== digest;
  }

  async #obeyNack(nack: Nack): Promise<void> {
    const { spool, on } = this.#options;
    switch (nack.kind) {
      case 'rewind':
        if (nack.from > spool.lastSealed + 1) {
          this.#badFrame(`from: ${nack.from} was never sealed; the last batch is ${spool.lastSealed}`);
          return;
        }
        on.rewound(nack.from);
        this.#sender.rewind(nack.from);
        return;
      case 'retry':
        this.#sender.pause(nack.afterMs);
        return;
      case 'reject':
        await spool.reject(nack.seq, nack.reason);
        if (this.#isOver) return;
        on.rejected(nack.seq, nack.reason);
        // The skip is ready, so there is nothing to wait a minute for.
        this.#retry = { kind: 'backoff' };
        this.#sender.rewind(Math.min(nack.seq, spool.lastSealed + 1));
        return;
      case 'fenced':
        this.#end('fenced', CLOSE_CODES.fenced.meaning, { kind: 'long' });
        return;
      case 'conflict':
        this.#conflict(nack.seq);
        return;
    }
  }

  /**
   * Another spool used our identity. What both have in common is counted: batches that were here when this
   * process started and that the daemon's number covers. In a live stream also everything ahead of `seq`, as
   * the daemon takes batches in order. Of an earlier process also `seq` itself if it was rebuilt from the journal: the
   * daemon's was sealed from the same journal when that had more, after a snapshot that the disk was put back to or
   * before damage.
   */
  #conflict(seq: number): void {
    const { spool } = this.#options;
    const counted = Math.max(spool.acked, this.#sharedAt(seq));
    this.#end('conflict', `the daemon holds another batch ${seq}; going on under a new identity`, {
      kind: 'reidentify',
      counted,
    });
  }

  #sharedAt(seq: number): number {
    const { inherited, rebuiltFrom, lastSealed } = this.#options.spool;
    if (this.#welcomedAtMs !== undefined && seq <= lastSealed) return seq - 1;
    if (seq > inherited) return inherited;
    return seq >= rebuiltFrom ? seq : 0;
  }

  #beat(heartbeatMs: number): void {
    const { clock, settings } = this.#options;
    let pingedAtMs = clock.monotonicMs();
    const beat = setInterval(() => {
      const nowMs = clock.monotonicMs();
      if (nowMs - this.#heardAtMs >= LIMITS.missedHeartbeats * heartbeatMs) {
        this.#end('dead-peer', 'two heartbeats were not answered');
        return;
      }
      if (this.#sender.stalledForMs() >= settings.stalledMs) {
        this.#end('stalled', 'batches in flight were not acknowledged; trying another connection');
        return;
      }
      if (nowMs - pingedAtMs < heartbeatMs) return;
      pingedAtMs = nowMs;
      this.#send({ type: 'ping', t0: clock.nowMs() });
    }, heartbeatMs / 4);
    this.#timers.add(beat);
  }

  /** Eight samples soon, so that the correction is known early. */
  #sampleClock(): void {
    this.#isSampling = !this.#isOver && this.#clockOffset.samples < 8;
    if (!this.#isSampling) return;
    this.#send({ type: 'ping', t0: this.#options.clock.nowMs() });
    this.#later(this.#options.settings.clockSampleMs, () => this.#sampleClock());
  }

  #closed(code: number, reason: string): void {
    const { result, message, retry } = endingOfClose(code, reason);
    // What was received before the close may say more than the code does.
    void this.#pendingFrames.then(() => this.#end(result, message, retry));
  }

  #badFrame(message: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.close(CLOSE_CODES.badFrame.code, message.slice(0, CLOSE_REASON_CHARACTERS));
    }
    this.#end('bad-frame', message, { kind: 'long' });
  }

  #end(result: string, message: string, retry: Retry = { kind: 'backoff' }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sender.stop();
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers.clear();
    this.#leave();
    const lastedMs = this.#lastedMs();
    const outweighs = retry.kind === 'backoff' || (retry.kind === 'long' && this.#retry?.kind === 'backoff');
    this.#settle({ result, message, retry: outweighs ? (this.#retry ?? retry) : retry, lastedMs });
  }

  #lastedMs(): number {
    return this.#welcomedAtMs === undefined ? 0 : this.#options.clock.monotonicMs() - this.#welcomedAtMs;
  }

  #leave(): void {
    const socket = this.#socket;
    if (socket.readyState === WebSocket.CLOSED) return;
    if (socket.readyState === WebSocket.CONNECTING) {
      socket.terminate();
      return;
    }
    socket.close(CLOSE_CODES.goingAway.code);
    const cut = setTimeout(() => socket.terminate(), CLOSE_WITHIN_MS);
    socket.once('close', () => clearTimeout(cut));
  }

  #later(afterMs: number, step: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      step();
    }, afterMs);
    this.#timers.add(timer);
  }

  #send(frame: AgentFrame): void {
    this.#sendText(encodeFrame(frame));
  }

  #sendText(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }
}

/** Answers to batches, which cannot come before the welcome. */
const STREAM_NACKS: ReadonlySet<Nack['kind']> = new Set(['rewind', 'reject']);
const ANNOUNCE_AFTER_MS = 200;
const CLOSE_WITHIN_MS = 2_000;
/** Fewer than the 123 bytes of RFC 6455 however they are encoded. */
const CLOSE_REASON_CHARACTERS = 40;
