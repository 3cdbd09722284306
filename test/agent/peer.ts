import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { decodeAgentFrame, encodeFrame } from '../../protocol/codec.ts';
import {
  type AgentFrame,
  type Batch,
  type DaemonFrame,
  type Hello,
  isCallback,
  type Skip,
} from '../../protocol/frame.ts';
import { SUBPROTOCOL } from '../../protocol/limits.ts';
import { CALLBACK_MEASURES, type CallbackMeasure } from '../../sla/facts.ts';

/**
 * A daemon as far as an agent can see: one producer's books in memory, over a real WebSocket. A test scripts
 * its misbehaviour: refusals, lost acknowledgements, a store that goes back in time.
 */
export interface Peer {
  readonly url: string;
  readonly port: number;
  /** By producer: the batches and skips that count, in order of seq. */
  readonly books: Map<string, (Batch | Skip)[]>;
  readonly hellos: Hello[];
  /** Every frame but pings, in order of arrival. */
  readonly frames: AgentFrame[];
  readonly authorizations: (string | undefined)[];
  readonly connections: number[];
  clockOffsetMs: number;
  /** Overrides what is answered to a batch or skip; true = answered. */
  onBatch: ((frame: Batch | Skip, socket: WebSocket) => boolean) | undefined;
  onHello: ((hello: Hello, socket: WebSocket) => boolean) | undefined;
  /** Answers upgrades with this status. */
  refusal: { status: number; headers?: Record<string, string> } | undefined;
  answersPings: boolean;
  /** Answers to the pings of `tell`. */
  pongs: number;
  credit: number;
  heartbeatMs: number;
  /** Sends a frame to every connected agent. */
  tell(frame: DaemonFrame): void;
  close(code: number): void;
  applied(producerId: string): number;
  /** Outcomes counted, by result, over all producers, and those declared lost. */
  totals(): { ok: number; failed: number; lost: number };
  callbacks(): Readonly<Record<CallbackMeasure, number>>;
  stop(): Promise<void>;
}

export async function startPeer(port = 0): Promise<Peer> {
  const http = createServer();
  const server = new WebSocketServer({ noServer: true, handleProtocols: () => SUBPROTOCOL });
  const sockets = new Set<WebSocket>();
  let epoch = 0;
  const peer: Peer = {
    url: '',
    port: 0,
    books: new Map(),
    hellos: [],
    frames: [],
    authorizations: [],
    connections: [],
    clockOffsetMs: 0,
    onBatch: undefined,
    onHello: undefined,
    refusal: undefined,
    answersPings: true,
    pongs: 0,
    credit: 64,
    heartbeatMs: 20_000,
    tell: (frame) => {
      for (const socket of sockets) socket.send(encodeFrame(frame));
    },
    close: (code) => {
      for (const socket of sockets) socket.close(code);
    },
    applied: (producerId) => lastOf(peer.books.get(producerId)?.at(-1)),
    totals: () => {
      const totals = { ok: 0, failed: 0, lost: 0 };
      for (const frame of [...peer.books.values()].flat()) {
        if (frame.type === 'skip') totals.lost += frame.outcomes;
        else {
          for (const { result, n } of frame.cells) if (!isCallback(result)) totals[result] += n;
          for (const n of Object.values(frame.lost)) totals.lost += n;
        }
      }
      return totals;
    },
    callbacks: () => {
      const counts = Object.fromEntries(CALLBACK_MEASURES.map((measure) => [measure, 0])) as Record<
        CallbackMeasure,
        number
      >;
      for (const frame of [...peer.books.values()].flat()) {
        if (frame.type === 'skip') continue;
        for (const { result, n } of frame.cells) if (isCallback(result)) counts[result] += n;
      }
      return counts;
    },
    stop: async () => {
      for (const socket of sockets) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  const now = () => Date.now() + peer.clockOffsetMs;

  http.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    peer.authorizations.push(request.headers.authorization);
    peer.connections.push(Date.now());
    if (peer.refusal) {
      const headers = Object.entries(peer.refusal.headers ?? {}).map(
        ([name, value]) => `${name}: ${value}\r\n`,
      );
      socket.end(`HTTP/1.1 ${peer.refusal.status} No\r\nContent-Length: 0\r\n${headers.join('')}\r\n`);
      return;
    }
    server.handleUpgrade(request, socket, head, (ws) => {
      sockets.add(ws);
      ws.on('close', () => sockets.delete(ws));
      ws.on('error', () => {});
      const session = { producerId: '', epoch: 0 };
      ws.on('message', (data) => {
        const decoded = decodeAgentFrame(data.toString());
        if (!decoded.ok) {
          ws.close(4400, decoded.fault.message.slice(0, 100));
          return;
        }
        const { frame } = decoded;
        if (frame.type !== 'ping' && frame.type !== 'pong') peer.frames.push(frame);
        switch (frame.type) {
          case 'hello': {
            peer.hellos.push(frame);
            session.producerId = frame.producerId;
            session.epoch = ++epoch;
            if (peer.onHello?.(frame, ws)) return;
            const books = peer.books.get(frame.producerId) ?? [];
            peer.books.set(frame.producerId, books);
            const last = books.at(-1);
            ws.send(
              encodeFrame({
                type: 'welcome',
                epoch: session.epoch,
                storeId: 'store',
                applied: Math.max(lastOf(last), frame.firstRetained - 1),
                appliedDigest: last?.type === 'batch' ? last.digest : '',
                credit: peer.credit,
                limits: { framePayloadBytes: 262_144, cellsPerBatch: 2_000 },
                heartbeatMs: peer.heartbeatMs,
                t0: frame.t0,
                t1: now(),
                t2: now(),
              }),
            );
            return;
          }
          case 'ping':
            if (peer.answersPings) ws.send(encodeFrame({ type: 'pong', t0: frame.t0, t1: now(), t2: now() }));
            return;
          case 'pong':
            peer.pongs += 1;
            return;
          case 'batch':
          case 'skip':
            if (!peer.onBatch?.(frame, ws)) take(peer, session.producerId, frame, ws);
        }
      });
    });
  });
  await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve));
  const address = http.address() as AddressInfo;
  return Object.assign(peer, { url: `ws://127.0.0.1:${address.port}`, port: address.port });
}

/** Counts a frame if it is the next one, and acknowledges. */
export function take(peer: Peer, producerId: string, frame: Batch | Skip, socket: WebSocket): void {
  const books = peer.books.get(producerId) ?? [];
  const applied = lastOf(books.at(-1)) || (peer.hellos.at(-1)?.firstRetained ?? 1) - 1;
  const [from, to] = frame.type === 'batch' ? [frame.seq, frame.seq] : [frame.from, frame.to];
  if (from > applied + 1) {
    socket.send(encodeFrame({ type: 'nack', kind: 'rewind', from: applied + 1 }));
    return;
  }
  if (to > applied) books.push(frame);
  peer.books.set(producerId, books);
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(encodeFrame({ type: 'ack', applied: Math.max(applied, to), credit: peer.credit }));
}

function lastOf(frame: Batch | Skip | undefined): number {
  if (!frame) return 0;
  return frame.type === 'batch' ? frame.seq : frame.to;
}
