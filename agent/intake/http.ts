import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { quote } from '../../sla/text.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Received, ReceiveFault, Receiver } from '../receiver.ts';
import type { Spool } from '../spool/spool.ts';
import { Bodies } from './body.ts';
import { bodyFailure, type Failure, refusals, writeFailure } from './failure.ts';
import { HttpFaults, nameOf } from './http-faults.ts';
import { LINE_BYTES, TOO_LONG } from './line-splitter.ts';
import { listen } from './listen.ts';
import { readRecords } from './records.ts';
import { readClockGapMs } from './sent-at.ts';
import { type TakenEach, takeEach } from './take-each.ts';
import { TRTC_CALLBACK_PATH, type TrtcCallbacks } from './trtc-callback.ts';
import { answerUnreadable, unreadableFailure } from './unreadable.ts';

const HTTP_BOUNDS = {
  /** Of one body: a longer list would hold up the other requests. */
  records: 20_000,
  connections: 1_000,
  headerMs: 10_000,
  requestMs: 30_000,
  /** How often connections are looked at that keep neither of the two. */
  lookMs: 5_000,
  /** Faults listed in an answer. */
  faults: 100,
  /** A request under way when the agent stops has so long to end. */
  stopMs: 2_000,
} as const;

export interface HttpIntakeOptions {
  readonly host: string;
  /** 0 = any free port */
  readonly port: number;
  /** Origins of web pages that may report; no others may, not even to loopback. */
  readonly origins: readonly string[];
  readonly receiver: Receiver;
  /** Left out: the vendor's callbacks are not taken here. */
  readonly callbacks?: TrtcCallbacks;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly metrics: AgentMetrics;
  readonly log: Log;
  readonly health: () => { readonly isHealthy: boolean; readonly body: object };
  /** Open at once, by default 1,000. */
  readonly connections?: number;
  /** How long a sender may take; by default 10 s for the headers and 30 s for the request. */
  readonly patience?: { readonly headerMs: number; readonly requestMs: number; readonly lookMs: number };
}

export interface HttpIntake {
  readonly port: number;
  stop(): Promise<void>;
}

/** Reports, the vendor's callbacks, health and metrics. A 202, or a callback's 200, means: on disk. */
export async function startHttpIntake(options: HttpIntakeOptions): Promise<HttpIntake> {
  const intake: Intake = {
    options,
    bodies: new Bodies(),
    faults: new HttpFaults(options),
    answering: new WeakMap(),
    ended: new WeakSet(),
  };
  const { headerMs, requestMs, lookMs } = options.patience ?? HTTP_BOUNDS;
  const server = createServer(
    {
      headersTimeout: headerMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: lookMs,
      maxHeaderSize: 8_192,
    },
    (request, response) => {
      intake.answering.set(request.socket, response);
      answer(request, response, intake)
        .then((failure) => failure && refuse(response, failure, intake))
        .catch((error: unknown) => {
          options.log.error({ error }, 'a request failed');
          if (response.headersSent) response.destroy();
          else refuse(response, INTERNAL, intake);
        });
    },
  );
  const connections = options.connections ?? HTTP_BOUNDS.connections;
  server.maxConnections = connections;
  server.on('drop', (dropped) => {
    const message = `${connections} connections are open; close those that are not used, or use them again`;
    const from = `a connection from ${dropped?.remoteAddress ?? 'somewhere'}`;
    intake.faults.request({ code: 'TOO_MANY_CONNECTIONS', message }, from);
  });
  server.on('clientError', (error, socket) => endUnreadable(error, socket, intake));
  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), HTTP_BOUNDS.stopMs);
      await closed;
      clearTimeout(cut);
      intake.faults.close();
    },
  };
}

/** What requests share. */
interface Intake {
  readonly options: HttpIntakeOptions;
  readonly bodies: Bodies;
  readonly faults: HttpFaults;
  /** Of a connection, the answer to its latest request. */
  readonly answering: WeakMap<Duplex, ServerResponse>;
  /** Connections whose request was refused before it was there: what comes of it is no second refusal. */
  readonly ended: WeakSet<Duplex>;
}

/** @returns why the request is refused; undefined when it was answered */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  intake: Intake,
): Promise<Failure | undefined> {
  const { options, bodies, faults } = intake;
  const path = request.url?.split('?', 1)[0];
  const { origin } = request.headers;
  if (origin !== undefined) {
    // A page elsewhere could otherwise report made-up failures through its visitor's own agent.
    if (!options.origins.includes(origin)) {
      const message = `pages of ${quote(origin)} may not report here; add the origin to origins of the agent's configuration`;
      return { status: 403, code: 'ORIGIN_REFUSED', field: 'origin', message };
    }
    response.setHeader('Access-Control-Allow-Origin', origin);
    // Otherwise a page cannot see it, and comes back too early.
    response.setHeader('Access-Control-Expose-Headers', 'Retry-After');
    response.setHeader('Vary', 'Origin');
  }
  if (path === '/v1/outcomes') {
    if (request.method === 'OPTIONS') return answerPreflight(response);
    if (request.method !== 'POST') return wrongMethod(response, 'POST, OPTIONS');
    return takeOutcomes(request, response, intake);
  }
  if (path === TRTC_CALLBACK_PATH) {
    if (!options.callbacks) return NO_CALLBACKS;
    if (request.method !== 'POST') return wrongMethod(response, 'POST');
    const failure = await options.callbacks.take(request, bodies);
    if (failure) {
      // It has a log and a counter of its own.
      faults.count(failure.code);
      fail(response, failure);
    } else send(response, 200, { code: 0 });
    return undefined;
  }
  if (path === '/healthz' || path === '/metrics') {
    if (request.method !== 'GET' && request.method !== 'HEAD') return wrongMethod(response, 'GET, HEAD');
    if (path === '/metrics') {
      response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8');
      response.end(options.metrics.render());
      return undefined;
    }
    const { isHealthy, body } = options.health();
    send(response, isHealthy ? 200 : 503, body);
    return undefined;
  }
  return { status: 404, code: 'NOT_FOUND', message: 'try /v1/outcomes, /healthz or /metrics' };
}

const INTERNAL: Failure = { status: 500, code: 'INTERNAL', message: 'the agent met a fault; see its log' };
const NO_CALLBACKS: Failure = {
  status: 404,
  code: 'CALLBACKS_NOT_CONFIGURED',
  message: "the agent's configuration has no trtcCallbacks; add the application and its key there",
};

/** @returns why the request was refused; undefined when it was answered */
async function takeOutcomes(
  request: IncomingMessage,
  response: ServerResponse,
  { options: { spool, receiver, clock }, bodies, faults }: Intake,
): Promise<Failure | undefined> {
  // Before the body, whose way may be long.
  const clockGapMs = readClockGapMs(request.url ?? '', clock.nowMs());
  if (clockGapMs === undefined) {
    const message =
      "sentAt is no time; write the sender's clock in whole epoch milliseconds, or leave it out";
    return { status: 400, code: 'SENT_AT_INVALID', field: 'sentAt', message };
  }
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (type !== '' && !CONTENT_TYPES.has(type)) {
    const message = `content type ${type}: send application/json or application/x-ndjson`;
    return { status: 415, code: 'CONTENT_TYPE_UNSUPPORTED', field: 'content-type', message };
  }
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'gzip' && encoding !== 'identity') {
    const message = `content encoding ${encoding}: send gzip or none`;
    return { status: 415, code: 'CONTENT_ENCODING_UNSUPPORTED', field: 'content-encoding', message };
  }
  const refusal = spool.refusal();
  if (refusal) return refusals[refusal];
  const body = await bodies.receive(request);
  if (typeof body === 'string') return bodyFailure(body, BODY_BOUND);
  const bytes = encoding === 'gzip' ? await bodies.inflate(body) : body;
  if (typeof bytes === 'string') return bodyFailure(bytes, `${BODY_BOUND} when unpacked`);
  const records = readRecords(bytes, NDJSON_TYPES.has(type));
  if (records.kind === 'fault') return { status: 400, code: 'BODY_NOT_JSON', message: records.message };
  const count = records.kind === 'lines' ? records.lines.length : records.values.length;
  if (count > HTTP_BOUNDS.records) {
    const message = `the body has ${count} records, more than ${HTTP_BOUNDS.records}; send several smaller ones`;
    return { status: 413, code: 'TOO_MANY_RECORDS', message };
  }
  // Asked again: others may have filled the spool while this body arrived.
  const lateRefusal = spool.refusal();
  if (lateRefusal) return refusals[lateRefusal];
  const received: Received[] = [];
  const name = nameOf(request);
  const take = (index: number): boolean => {
    const one =
      records.kind === 'lines'
        ? takeLine(records.lines[index]!, receiver, clockGapMs)
        : receiver.receive(records.values[index], 'http', clockGapMs);
    received.push(one);
    if (one.status !== 'rejected') return true;
    faults.record(one.fault, index, name);
    return false;
  };
  // A report is kept as a whole or not at all, so that one which is refused can be sent again.
  const most = { bytes: bytes.length + count * RECORD_CELL_BYTES, ids: count };
  const taking = spool.together(most, () => takeEach([...Array(count).keys()], take, spool));
  return confirm(response, received, await taking);
}

/** By the bound of every way in that has lines, so that a file which one of them takes is taken by all. */
function takeLine(line: string, receiver: Receiver, clockGapMs: number): Received {
  if (Buffer.byteLength(line) <= LINE_BYTES) return receiver.receiveLine(line, 'http', clockGapMs);
  return receiver.refuse({ code: 'OUTCOME_NOT_JSON', field: '', message: TOO_LONG });
}

/**
 * Says what is on disk, now that it is. A report too varied for one commit group may be there in part: then the
 * answer is no 5xx, after which senders repeat everything, but names the record from which on to repeat.
 */
function confirm(
  response: ServerResponse,
  received: readonly Received[],
  { failed, error }: TakenEach<number>,
): Failure | undefined {
  const unsaved = new Set(failed);
  const isSaved = (index: number) => !unsaved.has(index);
  const accepted = received.filter((one, index) => one.status === 'accepted' && isSaved(index)).length;
  const repeated = received.filter((one, index) => one.status === 'repeated' && isSaved(index)).length;
  if (error && accepted === 0) return writeFailure(error);
  const rejected = received.flatMap((one, index): Rejected[] => {
    if (one.status === 'rejected') return [{ index, error: faultOf(one.fault) }];
    return isSaved(index) ? [] : [{ index, error: UNSAVED }];
  });
  const counts = { accepted, repeated, rejectedCount: rejected.length };
  const listed = rejected.slice(0, HTTP_BOUNDS.faults);
  if (received.length > 0 && rejected.length === received.length) {
    send(response, 400, { error: rejected[0]!.error, ...counts, rejected: listed });
  } else {
    const repeat = failed[0] === undefined ? {} : { repeatFrom: failed[0] };
    send(response, 202, { ...counts, ...repeat, rejected: listed });
  }
  return undefined;
}

interface Rejected {
  readonly index: number;
  readonly error: Pick<Failure, 'code' | 'message'> & { readonly field: string };
}

const BODY_BOUND = '1 MiB';
/** At most what a record adds to its cell beyond its own text. */
const RECORD_CELL_BYTES = 256;
const UNSAVED = {
  code: 'SPOOL_WRITE_FAILED',
  message: 'the disk took only the records before repeatFrom; report this one and those after it again',
  field: '',
} as const;

const NDJSON_TYPES = new Set(['application/x-ndjson', 'application/ndjson', 'application/jsonl']);
const CONTENT_TYPES = new Set([
  'application/json',
  'text/plain',
  'application/octet-stream',
  ...NDJSON_TYPES,
]);

function faultOf({ code, message, field }: ReceiveFault) {
  return { code, message, field };
}

function answerPreflight(response: ServerResponse): undefined {
  response.setHeader('Access-Control-Allow-Methods', 'POST');
  response.setHeader('Access-Control-Allow-Headers', 'Content-Type, Content-Encoding');
  response.setHeader('Access-Control-Max-Age', '600');
  response.writeHead(204).end();
}

function wrongMethod(response: ServerResponse, allow: string): Failure {
  response.setHeader('Allow', allow);
  return { status: 405, code: 'METHOD_NOT_ALLOWED', message: `use ${allow}` };
}

/** Ends a connection over which no request came that can be read. */
function endUnreadable(error: Error, socket: Duplex, { faults, answering, ended }: Intake): void {
  const failure = unreadableFailure(error);
  const response = answering.get(socket);
  // In the middle of another answer nothing can be said.
  const isMute = response?.headersSent === true && !response.writableFinished;
  if (!failure || isMute) {
    socket.destroy();
    return;
  }
  const { bytesRead, remoteAddress } = socket as Socket;
  // Whoever waits for a body that is cut off says so itself, and browsers open connections that they may never use.
  if (failure.code !== 'BODY_CUT_OFF' && bytesRead > 0) {
    ended.add(socket);
    faults.request(failure, `a connection from ${remoteAddress ?? 'somewhere'}`);
  }
  answerUnreadable(socket, failure);
}

function refuse(response: ServerResponse, failure: Failure, { faults, ended }: Intake): void {
  if (!ended.has(response.req.socket)) faults.request(failure, nameOf(response.req));
  fail(response, failure);
}

function fail(response: ServerResponse, { status, code, message, field, retryAfterSeconds }: Failure): void {
  if (retryAfterSeconds !== undefined) response.setHeader('Retry-After', String(retryAfterSeconds));
  // What is left of a body that is not wanted must not be read as the next request.
  if (!response.req.complete) response.setHeader('Connection', 'close');
  send(response, status, { error: { code, message, field: field ?? '' } });
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}
