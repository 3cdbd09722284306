import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type AgentOptions, type RunningAgent, startAgent } from '../../agent/app.ts';
import { systemClock } from '../../agent/clock.ts';
import { Link } from '../../agent/link.ts';
import { silentLog } from '../../agent/log.ts';
import { encodeFrame } from '../../protocol/codec.ts';
import type { Batch, Skip } from '../../protocol/frame.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer, take } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let peer: Peer;
let agent: RunningAgent;

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
});

afterEach(async () => {
  await agent.stop(0);
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

const FAST = { baseMs: 20, maxMs: 100, stableMs: 60_000, longMs: 600 };

async function start(options: Partial<AgentOptions> = {}): Promise<void> {
  agent = await startAgent({
    server: peer.url,
    token: async () => 'token',
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    backoff: FAST,
    connection: { welcomeWithinMs: 1_000, clockSampleMs: 10, minHeartbeatMs: 10 },
    ...options,
  });
}

async function connected(): Promise<void> {
  await waitFor('a connection', () => agent.isConnected);
}

/** One batch with `n` outcomes. */
async function batch(n: number, service = 'acme'): Promise<void> {
  agent.receiver.receive({ service, result: 'ok', count: n }, 'library');
  await agent.spool.commit();
  await agent.spool.seal();
}

async function flushed(): Promise<void> {
  expect(await agent.flush(10_000)).toBe(true);
}

function seqs(type: 'batch' | 'skip' = 'batch'): number[] {
  return peer.frames
    .filter((frame): frame is Batch | Skip => frame.type === type)
    .map((frame) => (frame.type === 'batch' ? frame.seq : frame.from));
}

describe('delivery', () => {
  it('is in order, and ends with everything acknowledged', async () => {
    await start();
    for (const n of [1, 20, 300]) await batch(n);
    await flushed();
    expect(peer.totals()).toEqual({ ok: 321, failed: 0, lost: 0 });
    expect(seqs()).toEqual([...seqs()].sort((a, b) => a - b));
    expect(agent.spool.acked).toBe(agent.spool.lastSealed);
  });

  it('keeps to the credit', async () => {
    peer.credit = 3;
    const waiting: (() => void)[] = [];
    peer.onBatch = (frame, socket) => {
      waiting.push(() => take(peer, agent.spool.producerId, frame, socket));
      return true;
    };
    await start();
    for (let i = 0; i < 10; i++) await batch(1);
    await waitFor('three batches', () => waiting.length === 3);
    for (let released = 1; waiting.length > 0; released++) {
      waiting.shift()?.();
      await waitFor('the next batch', () => seqs().length >= Math.min(agent.spool.lastSealed, 3 + released));
      expect(waiting.length).toBeLessThanOrEqual(3);
    }
    peer.onBatch = undefined;
    await flushed();
    expect(peer.totals().ok).toBe(10);
  });

  it('goes on where the daemon stands when the connection broke before the acknowledgement', async () => {
    let breaks = 5;
    peer.onBatch = (frame, socket) => {
      if (breaks === 0) return false;
      breaks -= 1;
      // Counted, but the agent never learns of it.
      take(peer, agent.spool.producerId, frame, { readyState: WebSocket.CLOSED } as WebSocket);
      socket.terminate();
      return true;
    };
    await start();
    for (let i = 0; i < 8; i++) await batch(1);
    await flushed();
    expect(breaks).toBe(0);
    expect(peer.totals().ok).toBe(8);
  });

  it('sends at a limited rate what an earlier process left, though the clock was set back an hour since', async () => {
    peer.refusal = { status: 503 };
    await start();
    for (let i = 0; i < 40; i++) await batch(1);
    await agent.stop(0);
    await start({
      connection: { replayBatchesPerSecond: 20 },
      clock: { ...systemClock, nowMs: () => Date.now() - 3_600_000 },
    });
    peer.refusal = undefined;
    const startedAtMs = performance.now();
    await flushed();
    // Twenty at once, and then twenty a second.
    expect(performance.now() - startedAtMs).toBeGreaterThan(700);
    expect(peer.totals().ok).toBe(40);
  });

  it('sends at a limited rate what a new identity sealed anew', async () => {
    peer.refusal = { status: 503 };
    await start({ connection: { replayBatchesPerSecond: 20 } });
    for (let i = 0; i < 40; i++) await batch(1);
    peer.onHello = (hello, socket) => {
      if (peer.hellos.length > 1) return false;
      socket.send(encodeFrame({ type: 'nack', kind: 'conflict', seq: hello.lastSealed }));
      return true;
    };
    peer.refusal = undefined;
    await connected();
    const startedAtMs = performance.now();
    await flushed();
    expect(performance.now() - startedAtMs).toBeGreaterThan(700);
    expect(peer.totals().ok).toBe(40);
  });

  it('sends at once what was sealed just now, however much it is and whatever the clock says', async () => {
    let aheadMs = 0;
    peer.refusal = { status: 503 };
    await start({
      connection: { replayBatchesPerSecond: 1 },
      clock: { ...systemClock, nowMs: () => Date.now() + aheadMs },
    });
    for (let i = 0; i < 40; i++) await batch(1);
    aheadMs = 3_600_000;
    peer.refusal = undefined;
    expect(await agent.flush(4_000)).toBe(true);
    expect(peer.totals().ok).toBe(40);
  });

  for (const how of [
    'acknowledged later',
    'counted, and the connection cut',
    'counted, and the connection cut, while the store is then away at every hello',
    'counted, and the store is away for a while',
  ] as const) {
    it(`declares lost exactly what the daemon never gets, when a full spool meets batches in flight that are ${how}`, async () => {
      const held: (Batch | Skip)[] = [];
      let isHolding = true;
      peer.credit = 12;
      peer.onBatch = (frame, socket) => {
        if (!isHolding) return false;
        held.push(frame);
        if (how === 'acknowledged later') return true;
        take(peer, agent.spool.producerId, frame, { readyState: WebSocket.CLOSED } as WebSocket);
        if (held.length !== peer.credit) return true;
        if (how === 'counted, and the store is away for a while') {
          socket.send(encodeFrame({ type: 'nack', kind: 'retry', afterMs: 60_000 }));
          return true;
        }
        if (how === 'counted, and the connection cut') peer.refusal = { status: 503 };
        else {
          peer.onHello = (_, greeting) => {
            // As the daemon does it.
            greeting.send(encodeFrame({ type: 'nack', kind: 'retry', afterMs: 2_000 }));
            greeting.close(1013);
            return true;
          };
        }
        socket.terminate();
        return true;
      };
      await start({ spool: { segmentBytes: 2_000, maxBytes: 24_000, minFreeBytes: 0 } });
      await connected();
      // Varied, so that merging does not make room for all of it.
      let reported = 0;
      for (let n = 0; n < 150; n++) {
        agent.receiver.receive({ result: 'ok', region: `region-${n}`, count: 1 + n }, 'library');
        reported += 1 + n;
        await agent.spool.commit();
        await agent.spool.seal();
        await agent.spool.tick();
        // What was in flight has been cut off, and the daemon was asked again, before the spool is full.
        if (n === 30 && peer.onHello) await waitFor('a second hello', () => peer.hellos.length > 1);
      }
      expect(held.length).toBeGreaterThanOrEqual(peer.credit);
      isHolding = false;
      peer.onHello = undefined;
      if (how === 'acknowledged later') peer.tell({ type: 'nack', kind: 'rewind', from: 1 });
      if (how === 'counted, and the store is away for a while') peer.close(1012);
      peer.refusal = undefined;
      await flushed();
      const { ok, lost } = peer.totals();
      expect(lost).toBeGreaterThan(0);
      expect(ok + lost).toBe(reported);
      expect(agent.metrics.total('outcomesLost')).toBe(lost);
    });
  }

  it('says hello again before it sends batches of a new service', async () => {
    await start();
    await connected();
    await batch(1);
    await batch(1, 'globex');
    await flushed();
    expect(peer.hellos.at(-1)?.services).toEqual(['acme', 'globex']);
    const hello = peer.frames.indexOf(peer.hellos.at(-1)!);
    const first = peer.frames.findIndex(
      (frame) => frame.type === 'batch' && frame.cells.some((cell) => cell.service === 'globex'),
    );
    expect(first).toBeGreaterThan(hello);
  });

  it('waits for the first service before it connects, as a hello names one', async () => {
    await start({ services: [] });
    expect(peer.connections).toEqual([]);
    await batch(5);
    await flushed();
    expect(peer.totals().ok).toBe(5);
  });
});

describe('a daemon whose store went back in time', () => {
  /** The store forgets what is above `seq`. */
  function forget(seq: number): void {
    const { producerId } = agent.spool;
    const books = peer.books.get(producerId)!;
    peer.books.set(
      producerId,
      books.filter((frame) => (frame.type === 'batch' ? frame.seq : frame.to) <= seq),
    );
  }

  async function deliverTen(): Promise<void> {
    await start();
    for (let i = 0; i < 10; i++) await batch(1);
    await flushed();
    expect(peer.totals().ok).toBe(10);
  }

  it('gets the batches again when it says so in the welcome', async () => {
    await deliverTen();
    forget(4);
    peer.close(1012);
    await waitFor('all outcomes', () => peer.totals().ok === 10);
  });

  it('gets the batches again when it asks for a rewind', async () => {
    await deliverTen();
    forget(4);
    peer.tell({ type: 'nack', kind: 'rewind', from: 5 });
    await waitFor('all outcomes', () => peer.totals().ok === 10);
    expect(agent.metrics.total('rewinds')).toBe(1);
  });

  it('gets the batches again when it acknowledges less than before', async () => {
    await deliverTen();
    forget(4);
    peer.tell({ type: 'ack', applied: 4, credit: 64 });
    await waitFor('all outcomes', () => peer.totals().ok === 10);
  });

  it('gets a skip for what is no longer retained, with the outcomes that it lost', async () => {
    await start({ spool: { segmentBytes: 1, retainBytes: 1, retainMs: 0 } });
    for (let i = 0; i < 10; i++) await batch(3);
    await flushed();
    // To its end: each batch has a segment of its own, and all but the newest go.
    await waitFor('the spool to be trimmed', () => agent.spool.firstRetained === agent.spool.lastSealed);
    const { firstRetained, producerId } = agent.spool;
    peer.books.set(producerId, []);
    peer.hellos.push({ ...peer.hellos[0]!, firstRetained: 1 });
    peer.tell({ type: 'nack', kind: 'rewind', from: 1 });
    await waitFor('all outcomes', () => peer.totals().ok + peer.totals().lost === 30);
    const skip = peer.frames.find((frame) => frame.type === 'skip');
    expect(skip).toMatchObject({ from: 1, to: firstRetained - 1, reason: 'not-retained' });
    expect(agent.metrics.total('outcomesLost')).toBe(peer.totals().lost);
  });
});

describe('what the daemon may answer to a batch', () => {
  it('retry: everything is sent again, but not before', async () => {
    let toldAtMs = 0;
    peer.onBatch = (_, socket) => {
      if (toldAtMs > 0) return false;
      toldAtMs = performance.now();
      socket.send(encodeFrame({ type: 'nack', kind: 'retry', afterMs: 300 }));
      return true;
    };
    await start();
    await connected();
    await batch(7);
    await flushed();
    expect(performance.now() - toldAtMs).toBeGreaterThanOrEqual(290);
    expect(peer.totals().ok).toBe(7);
  });

  it('reject: the batch is set aside, and a skip says how many outcomes that were', async () => {
    peer.onBatch = (frame, socket) => {
      if (frame.type !== 'batch' || frame.cells.length === 0) return false;
      socket.send(encodeFrame({ type: 'nack', kind: 'reject', seq: frame.seq, reason: 'not today' }));
      socket.close(4400, 'bad frame');
      return true;
    };
    await start();
    await connected();
    await batch(7);
    await flushed();
    expect(peer.totals()).toEqual({ ok: 0, failed: 0, lost: 7 });
    const letters = (await readFile(join(folder, 'spool/aside/rejected.ndjson'), 'utf8')).trim().split('\n');
    expect(JSON.parse(letters[0]!)).toMatchObject({ reason: 'not today', batch: { cells: [{ n: 7 }] } });
    peer.onBatch = undefined;
    await batch(8);
    await flushed();
    expect(peer.totals().ok).toBe(8);
  });

  it('fenced: it stays away for a minute', async () => {
    let fences = 1;
    peer.onBatch = (_, socket) => {
      if (fences === 0) return false;
      fences -= 1;
      socket.send(encodeFrame({ type: 'nack', kind: 'fenced' }));
      return true;
    };
    await start();
    await batch(7);
    await flushed();
    expect(peer.connections[1]! - peer.connections[0]!).toBeGreaterThanOrEqual(600);
  });

  it('a frame that is none: the connection ends, and nothing is lost', async () => {
    await start();
    await connected();
    peer.tell({ type: 'ack', applied: -1, credit: 1 });
    await batch(7);
    await flushed();
    expect(peer.connections).toHaveLength(2);
    expect(peer.totals().ok).toBe(7);
  });
});

describe('another agent with the same identity', () => {
  it('leads to a new one: batches that differ are sealed anew, those in common are not', async () => {
    await start();
    await batch(1);
    await flushed();
    const first = agent.spool.producerId;
    // A clone has sent its own batch under the next number.
    const foreign = { type: 'batch', epoch: 1, digest: 'f'.repeat(16), minute: 1 } as const;
    const cells = [{ ...CELL, n: 1_000 }];
    const clones = {
      ...foreign,
      seq: agent.spool.lastSealed + 1,
      clockOffsetMs: 0,
      cells,
      alive: [],
      lost: {},
    };
    peer.books.get(first)?.push(clones);
    peer.onBatch = (frame, socket) => {
      if (frame.type !== 'batch' || frame.seq !== clones.seq || agent.spool.producerId !== first)
        return false;
      socket.send(encodeFrame({ type: 'nack', kind: 'conflict', seq: frame.seq }));
      return true;
    };
    await batch(20);
    await waitFor('a new identity', () => agent.spool.producerId !== first);
    await flushed();
    expect(peer.totals().ok).toBe(1_000 + 1 + 20);
    expect(peer.hellos.at(-1)?.producerId).not.toBe(first);
  });

  it('is noticed at the welcome by the digest', async () => {
    await start();
    await batch(1);
    await flushed();
    const first = agent.spool.producerId;
    peer.refusal = { status: 503 };
    peer.close(1012);
    await waitFor('the end of the connection', () => !agent.isConnected);
    await batch(20);
    const seq = agent.spool.lastSealed;
    const cells = [{ ...CELL, n: 1_000 }];
    const books = peer.books.get(first)!;
    const digest = 'f'.repeat(16);
    books.push({
      type: 'batch',
      epoch: 1,
      seq,
      digest,
      minute: 1,
      clockOffsetMs: 0,
      cells,
      alive: [],
      lost: {},
    });
    peer.refusal = undefined;
    await waitFor('a new identity', () => agent.spool.producerId !== first);
    await flushed();
    expect(peer.totals().ok).toBe(1_021);
  });

  for (const how of ['welcomes it all the same', 'says conflict instead of welcome'] as const) {
    it(`is noticed when the daemon has more than was ever sealed, and ${how}`, async () => {
      let isFirst = true;
      peer.onHello = (hello, socket) => {
        if (!isFirst) return false;
        isFirst = false;
        const digest = 'f'.repeat(16);
        const cells = [{ ...CELL, n: 1_000 }];
        const clones = { type: 'batch', epoch: 1, seq: 500, digest, minute: 1, clockOffsetMs: 0 } as const;
        peer.books.set(hello.producerId, [{ ...clones, alive: [], cells, lost: {} }]);
        if (how === 'welcomes it all the same') return false;
        socket.send(encodeFrame({ type: 'nack', kind: 'conflict', seq: hello.lastSealed + 1 }));
        socket.close(4410);
        return true;
      };
      await start();
      const first = agent.spool.producerId;
      await batch(20);
      await waitFor('a new identity', () => agent.spool.producerId !== first);
      await flushed();
      expect(peer.totals().ok).toBe(1_020);
    });
  }
});

const CELL = {
  service: 'acme',
  minute: 1,
  region: '',
  platform: '',
  result: 'ok',
  cause: '',
  code: '',
} as const;

describe('a connection that fails', () => {
  it('is tried again after the time that a busy daemon names', async () => {
    peer.refusal = { status: 503, headers: { 'Retry-After': '1' } };
    await start();
    await waitFor('an attempt', () => peer.connections.length === 1);
    peer.refusal = undefined;
    await connected();
    expect(peer.connections[1]! - peer.connections[0]!).toBeGreaterThanOrEqual(1_000);
  });

  it('waits a minute after a refused token, and reads the token anew', async () => {
    const tokens = ['old', 'new'];
    peer.refusal = { status: 401 };
    await start({ token: async () => tokens.shift() ?? 'new' });
    await waitFor('an attempt', () => peer.connections.length === 1);
    peer.refusal = undefined;
    await connected();
    expect(peer.connections[1]! - peer.connections[0]!).toBeGreaterThanOrEqual(600);
    expect(peer.authorizations).toEqual(['Bearer old', 'Bearer new']);
  });

  it('does not end the agent when the token cannot be sent', async () => {
    const tokens = ['two\nlines', 'good'];
    await start({ token: async () => tokens.shift() ?? 'good' });
    await connected();
    expect(peer.authorizations).toEqual(['Bearer good']);
  });

  it('is given up when the daemon answers before it was greeted', async () => {
    let isFirst = true;
    peer.onHello = (_, socket) => {
      if (!isFirst) return false;
      isFirst = false;
      socket.send(encodeFrame({ type: 'ack', applied: 0, credit: 64 }));
      return true;
    };
    await start();
    await connected();
    expect(agent.metrics.render()).toContain('roomwatch_agent_connects_total{result="bad-frame"} 1');
  });

  it('is given up when the daemon is silent for two heartbeats', async () => {
    peer.answersPings = false;
    peer.heartbeatMs = 50;
    await start();
    await waitFor('a second connection', () => peer.connections.length > 1, { withinMs: 5_000 });
    expect(agent.metrics.render()).toContain('roomwatch_agent_disconnects_total{reason="dead-peer"}');
  });

  it('is given up after two and a quarter heartbeats at the latest when it is half open: 45 s at 20 s', async () => {
    peer.heartbeatMs = 800;
    await start();
    await connected();
    peer.answersPings = false;
    const heardAtMs = performance.now();
    await waitFor('its end', () => agent.metrics.total('disconnects') === 1, { withinMs: 5_000 });
    // The rest is for a busy machine, and for a pong that was on its way.
    expect(performance.now() - heardAtMs).toBeLessThan(2.25 * 800 + 600);
  });

  it('comes back within the time that the daemon told so many agents', async () => {
    await start({ random: () => 0.5, backoff: { ...FAST, maxMs: 60_000 } });
    await connected();
    peer.tell({ type: 'ping', t0: 1, spreadMs: 2_000 });
    await waitFor('the answer', () => peer.pongs > 0);
    const closedAtMs = Date.now();
    peer.close(1012);
    await waitFor('another connection', () => peer.connections.length === 2);
    // The place is drawn: the middle of the round.
    expect(peer.connections[1]! - closedAtMs).toBeGreaterThanOrEqual(950);
    expect(peer.connections[1]! - closedAtMs).toBeLessThan(1_900);
  });

  it('comes back within that time, too, when it only says hello anew for a service that is new', async () => {
    await start({ random: () => 0.5, backoff: { ...FAST, maxMs: 60_000 } });
    await connected();
    peer.tell({ type: 'ping', t0: 1, spreadMs: 2_000 });
    await waitFor('the answer', () => peer.pongs > 0);
    const reportedAtMs = Date.now();
    await batch(1, 'globex');
    await waitFor('another connection', () => peer.connections.length === 2);
    expect(peer.connections[1]! - reportedAtMs).toBeGreaterThanOrEqual(950);
    expect(peer.connections[1]! - reportedAtMs).toBeLessThan(2_100);
    await flushed();
  });

  it('that is just being made names a service that is new, and is not made again for it', async () => {
    peer.refusal = { status: 503 };
    await start({
      token: async () => {
        if (peer.connections.length > 0) {
          peer.refusal = undefined;
          // After the dial, and before its first answer can have been read.
          setImmediate(() => agent.receiver.receive({ service: 'globex', result: 'ok' }, 'library'));
        }
        return 'token';
      },
    });
    await waitFor('the service', () => agent.services.length === 2);
    await batch(1, 'globex');
    await flushed();
    expect(peer.hellos.map(({ services }) => services)).toEqual([['acme', 'globex']]);
  });

  it('is given up when there is no welcome', async () => {
    peer.onHello = () => peer.hellos.length === 1;
    await start({ connection: { welcomeWithinMs: 200 } });
    await connected();
    expect(peer.hellos).toHaveLength(2);
  });

  it('is given up when batches are never acknowledged', async () => {
    peer.onBatch = () => peer.connections.length === 1;
    // Long enough a heartbeat that the silence is not taken for death.
    peer.heartbeatMs = 400;
    await start({ connection: { stalledMs: 300 } });
    await batch(3);
    await flushed();
    expect(agent.metrics.render()).toContain('roomwatch_agent_disconnects_total{reason="stalled"}');
  });

  it('comes back when a draining daemon said, and sends it nothing more', async () => {
    await start();
    await connected();
    await flushed();
    peer.tell({ type: 'drain', afterMs: 400, spreadMs: 100 });
    await waitFor('the drain to arrive', async () => {
      await batch(1);
      const before = seqs().length;
      await batch(1);
      return seqs().length === before;
    });
    const closedAtMs = Date.now();
    peer.close(1012);
    await connected();
    await flushed();
    expect(peer.connections.at(-1)! - closedAtMs).toBeGreaterThanOrEqual(390);
  });
});

describe('the clock', () => {
  it('that is an hour off is corrected, and the batch says so', async () => {
    peer.clockOffsetMs = 3_600_000;
    await start();
    await waitFor('a correction', () => agent.spool.clockOffsetMs !== null);
    await batch(1);
    await flushed();
    const last = peer.frames.findLast((frame): frame is Batch => frame.type === 'batch')!;
    expect(Math.abs(last.clockOffsetMs! - 3_600_000)).toBeLessThan(1_000);
    expect(
      Math.abs(last.cells[0]!.minute - Math.floor((Date.now() + 3_600_000) / 60_000)),
    ).toBeLessThanOrEqual(1);
  });

  it('that is a second off is left alone', async () => {
    peer.clockOffsetMs = 1_000;
    await start();
    await waitFor('a measurement', () => agent.spool.clockOffsetMs !== null);
    expect(agent.spool.clockOffsetMs).toBe(0);
    const gauge = /roomwatch_agent_clock_offset_seconds ([\d.-]+)/.exec(agent.metrics.render());
    expect(Math.abs(Number(gauge?.[1]) - 1)).toBeLessThan(0.5);
  });
});

describe('stopping', () => {
  it('delivers what was accepted last', async () => {
    await start();
    await connected();
    agent.receiver.receive({ result: 'ok', count: 9 }, 'library');
    expect(await agent.stop()).toEqual({ isFlushed: true });
    expect(peer.totals().ok).toBe(9);
  });

  it('ends, and makes no connection, while the token is being read', async () => {
    await start();
    let giveToken: (token: string) => void = () => {};
    const token = new Promise<string>((resolve) => {
      giveToken = resolve;
    });
    let isAsked = false;
    const link = new Link({
      server: peer.url,
      token: () => {
        isAsked = true;
        return token;
      },
      agentId: 'edge',
      spool: agent.spool,
      forbidden: agent.forbidden,
      clock: systemClock,
      random: Math.random,
      correctsClock: true,
      metrics: agent.metrics,
      log: silentLog,
    });
    await connected();
    link.start();
    await waitFor('the token to be asked for', () => isAsked);
    let isStopped = false;
    const stopping = link.stop().then(() => {
      isStopped = true;
    });
    giveToken('token');
    await waitFor('the stop', () => isStopped, { withinMs: 3_000 });
    await stopping;
    expect(peer.connections).toHaveLength(1);
  });

  it('does not wait longer than told for a daemon that is away, and the next start delivers', async () => {
    peer.refusal = { status: 503 };
    await start();
    agent.receiver.receive({ result: 'ok', count: 9 }, 'library');
    const startedAtMs = performance.now();
    expect(await agent.stop(300)).toEqual({ isFlushed: false });
    expect(performance.now() - startedAtMs).toBeLessThan(3_000);
    peer.refusal = undefined;
    await start();
    await flushed();
    expect(peer.totals().ok).toBe(9);
  });
});
