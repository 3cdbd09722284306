import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { SUBPROTOCOL } from '../../protocol/limits.ts';
import { admit, Occupancy, type Refusal, refuseUpgrade } from './admission.ts';
import { AgentSocket, Connection, type ConnectionContext } from './connection.ts';
import { completeLimits, type GatewayOptions, type Grant } from './options.ts';
import { OwedAcks } from './owed-acks.ts';
import { startRounds } from './rounds.ts';
import { Turns } from './turns.ts';

/** Milliseconds for a peer to answer a close before its socket is destroyed. */
const CLOSE_WITHIN_MS = 5_000;
/** Connections closed at once when the daemon stops, and the pause between two portions. */
const DRAIN_PORTION = 200;
const DRAIN_PAUSE_MS = 20;
/** What agents are told when the daemon stops: how long to stay away at least. */
const DRAIN_AFTER_MS = 500;
/**
 * Over how long agents come back, so that a hundred a second do: a restart is then met by 2,000 agents within 20 s,
 * by no more than a twentieth of them in any second, and by one agent alone at once.
 */
const SPREAD_MS = { perAgent: 10, least: 500, most: 60_000 } as const;

export interface Gateway {
  /** For the HTTP server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Agents that are connected and have said hello, by service. */
  connectedAgents(): ReadonlyMap<string, number>;
  /**
   * Ends the connections whose grant is not what it was; their agents keep what is not acknowledged. Those that
   * may come back with the same token do so at once, the others are told what is wrong.
   */
  recheck(renewed: (grant: Grant) => Grant | null): void;
  /**
   * Sends every agent away: no new connections, what was received is applied and acknowledged, then the
   * connections are closed (1012). What is left at the deadline is cut; nothing acknowledged is lost.
   */
  drain(request: { readonly deadlineMs: number }): Promise<void>;
}

/** The WebSocket side of the daemon: who may connect, what may be said, and how much of it. */
export function createGateway(options: GatewayOptions): Gateway {
  const { ingest, authenticate, observer, nowMs, log } = options;
  const limits = completeLimits(options.limits ?? {});
  const connections = new Set<Connection>();
  const occupancy = new Occupancy();
  const agents = new Map<string, number>();
  const turns = new Turns(limits.sliceMs, ingest.isFull);
  ingest.onRoom(() => turns.resume());
  const owedAcks = new OwedAcks();
  let isDraining = false;

  // closeTimeout is missing in the types of ws.
  const serverOptions = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.framePayloadBytes,
    closeTimeout: CLOSE_WITHIN_MS,
    handleProtocols: () => SUBPROTOCOL,
    WebSocket: AgentSocket,
  };
  const server = new WebSocketServer(serverOptions);
  const refuse = (socket: Duplex, refusal: Refusal) => {
    observer.refused(refusal.reason);
    refuseUpgrade(socket, refusal);
  };
  server.on('wsClientError', (error, socket) => {
    refuse(socket, { reason: 'handshake', status: 400, code: 'HANDSHAKE_INVALID', message: error.message });
  });

  const spreadMs = () => {
    const { perAgent, least, most } = SPREAD_MS;
    return Math.min(Math.max(connections.size * perAgent, least), most);
  };
  const context: ConnectionContext = {
    ingest,
    turns,
    owedAcks,
    queued: { bytes: 0 },
    limits,
    observer,
    storeId: options.storeId,
    nowMs,
    log,
    isDraining: () => isDraining,
    spreadMs,
    greeted: ({ services }) => {
      for (const service of services) agents.set(service, (agents.get(service) ?? 0) + 1);
    },
  };

  const leave = (connection: Connection) => {
    if (!connections.delete(connection)) return;
    occupancy.leave(connection.address, connection.grant.agentLabel);
    for (const service of connection.services) {
      const left = (agents.get(service) ?? 0) - 1;
      if (left > 0) agents.set(service, left);
      else agents.delete(service);
    }
    connection.gone();
  };

  // Shared by all sockets: a closure for each would cost more memory than the connection itself.
  function onMessage(this: WebSocket, data: RawData, isBinary: boolean) {
    connectionOf(this)?.receive(data, isBinary);
  }
  function onError(this: WebSocket, error: Error & { readonly code?: string }) {
    const connection = connectionOf(this);
    if (connection === null) return;
    // ws closes the connection itself, with 1009 or another code of RFC 6455.
    if (error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') observer.refused('too-big');
    else if (error.code?.startsWith('WS_ERR_')) observer.refused('bad-frame');
    log.debug({ error, agent: connection.grant.agentLabel }, 'agent connection failed');
  }
  function onClose(this: WebSocket) {
    const connection = connectionOf(this);
    if (connection !== null) leave(connection);
  }

  const rounds = startRounds({ connections, limits, nowMs });

  return {
    upgrade: (request, socket, head) => {
      const admitted = admit(request, { isDraining, occupancy, limits, authenticate });
      if (!admitted.ok) {
        refuse(socket, admitted.refusal);
        return;
      }
      server.handleUpgrade(request, socket, head, (websocket) => {
        const connection = new Connection(websocket, admitted, context);
        websocket.connection = connection;
        websocket.on('message', onMessage);
        websocket.on('error', onError);
        websocket.on('close', onClose);
        connections.add(connection);
        occupancy.enter(admitted.address, admitted.grant.agentLabel);
      });
    },

    connectedAgents: () => agents,

    recheck: (renewed) => {
      for (const connection of connections) {
        const grant = renewed(connection.grant);
        if (grant === connection.grant) continue;
        if (grant === null) connection.close('forbidden', 'the token was withdrawn', 'revoked');
        else connection.close('restart', 'what the token grants has changed', null);
      }
    },

    drain: async ({ deadlineMs }) => {
      const deadlineAtMs = performance.now() + deadlineMs;
      isDraining = true;
      rounds.stop();
      const drain = { type: 'drain', afterMs: DRAIN_AFTER_MS, spreadMs: spreadMs() } as const;
      for (const connection of connections) connection.send(drain);
      const left = () => Math.max(0, deadlineAtMs - performance.now());
      await within(left(), async () => {
        // An agent whose credit is used up goes on when some of it is applied, so once is not enough.
        do {
          while (!turns.isEmpty && left() > 0) await sleep(1);
          await ingest.drain();
        } while (!turns.isEmpty && left() > 0);
      });
      owedAcks.pay();
      let portion = 0;
      for (const connection of connections) {
        connection.close('restart', 'the daemon is stopping', null);
        portion += 1;
        if (portion % DRAIN_PORTION === 0) await sleep(Math.min(DRAIN_PAUSE_MS, left()));
      }
      while (connections.size > 0 && left() > 0) await sleep(Math.min(DRAIN_PAUSE_MS, left()));
      for (const connection of connections) connection.terminate();
      server.close();
    },
  };
}

function connectionOf(socket: WebSocket): Connection | null {
  return socket instanceof AgentSocket ? socket.connection : null;
}

/** Waits for a task, but no longer than `ms`. */
async function within(ms: number, task: () => Promise<void>): Promise<void> {
  const giveUp = new AbortController();
  await Promise.race([task(), sleep(ms, undefined, { signal: giveUp.signal }).catch(() => {})]);
  giveUp.abort();
}
