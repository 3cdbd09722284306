import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import type { Log } from '../log.ts';
import { StoreUnavailable } from '../store/store.ts';
import type { Access } from './access.ts';
import { type Answer, refusal } from './answer.ts';
import { readJsonBody } from './body.ts';
import { codingFor, GZIP_LEVEL, gzipped, isPackable, PACK_FROM_BYTES } from './coding.ts';
import type { Router } from './router.ts';

export const HTTP_BOUNDS = {
  headersWithinMs: 10_000,
  requestWithinMs: 30_000,
  /** Without a byte in either direction. */
  idleMs: 60_000,
  headerBytes: 16 * 1024,
  /** Besides those of agents. */
  connections: 1_000,
  /** What a piece of a long answer is gathered to before it is written. */
  pieceCharacters: 64 * 1024,
  /** How long a long answer is rendered before the event loop gets its turn. */
  sliceMs: 8,
} as const;

/** Nothing that is served here is to be guessed, framed, or kept. A route's own headers win. */
const COMMON_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
} as const;

export interface HttpDeps {
  readonly router: Router;
  /** Read at each request, because a reload replaces it. */
  readonly access: () => Access;
  readonly log: Log;
}

/** An HTTP server that answers by its routes; it listens to nothing yet. */
export function createHttpServer(deps: HttpDeps): Server {
  const server = createServer(
    {
      headersTimeout: HTTP_BOUNDS.headersWithinMs,
      requestTimeout: HTTP_BOUNDS.requestWithinMs,
      maxHeaderSize: HTTP_BOUNDS.headerBytes,
    },
    (request, response) => {
      // A peer that goes away in the middle is no event of ours.
      request.on('error', () => {});
      response.on('error', () => {});
      answerTo(request, deps)
        .then((answer) => send(request, response, answer))
        .catch((error: unknown) => {
          deps.log.error({ error, path: pathOf(request) }, 'an answer could not be written');
          response.destroy();
        });
    },
  );
  server.setTimeout(HTTP_BOUNDS.idleMs);
  server.on('clientError', refuseBytes);
  return server;
}

async function answerTo(request: IncomingMessage, { router, access, log }: HttpDeps): Promise<Answer> {
  const [path = '/', query = ''] = splitOnce(request.url ?? '/', '?');
  const match = router.match(request.method ?? 'GET', path);
  if ('answer' in match) return match.answer;
  const caller = access().admit(request.headers, match.route.need);
  if ('status' in caller) return caller;
  try {
    return await match.route.run({
      caller,
      params: match.params,
      query: new URLSearchParams(query),
      accept: request.headers.accept ?? '',
      acceptEncoding: acceptEncodingOf(request),
      ifNoneMatch: request.headers['if-none-match'] ?? '',
      readJson: () => readJsonBody(request),
    });
  } catch (error) {
    if (error instanceof StoreUnavailable) {
      return refusal('STORE_UNAVAILABLE', 'the store does not answer; try again shortly', {
        headers: { 'retry-after': '2' },
      });
    }
    log.error({ error, path }, 'a request failed');
    return refusal('INTERNAL', 'the daemon failed on this request; its log says why');
  }
}

async function send(request: IncomingMessage, response: ServerResponse, made: Answer): Promise<void> {
  const answer = await inItsCoding(request, made);
  const { status, type, body, headers } = answer;
  const isWhole = typeof body === 'string' || Buffer.isBuffer(body);
  response.writeHead(status, {
    ...COMMON_HEADERS,
    ...(status === 304 ? {} : { 'content-type': type }),
    ...(isWhole && status !== 304 ? { 'content-length': String(Buffer.byteLength(body)) } : {}),
    // A body that was not read would be taken for the next request.
    ...(request.complete || request.method === 'GET' || request.method === 'HEAD'
      ? {}
      : { connection: 'close' }),
    ...headers,
  });
  if (request.method === 'HEAD' || status === 304) {
    response.end();
    return;
  }
  if (isWhole) {
    response.end(body);
    return;
  }
  if (Symbol.asyncIterator in body) await sendAsItComes(response, body);
  else if (headers?.['content-encoding'] === 'gzip') await sendInPieces(packing(response), body);
  else await sendInPieces(response, body);
}

/**
 * Packs what is long, if the client takes it. A whole body is packed here; one in pieces as the pieces are sent; one
 * that comes as it happens never; and a route may have packed its own.
 */
async function inItsCoding(request: IncomingMessage, answer: Answer): Promise<Answer> {
  const { status, type, body, headers = {} } = answer;
  const isOwn = headers.vary !== undefined || headers['content-encoding'] !== undefined;
  if (isOwn || status === 304 || !isPackable(type)) return answer;
  const isWhole = typeof body === 'string' || Buffer.isBuffer(body);
  if (!isWhole && Symbol.asyncIterator in body) return answer;
  if (isWhole && Buffer.byteLength(body) < PACK_FROM_BYTES) return answer;
  const varied = { ...headers, vary: 'accept-encoding' };
  if (codingFor(acceptEncodingOf(request), ['gzip']) === null) return { ...answer, headers: varied };
  return {
    ...answer,
    body: isWhole ? await gzipped(body) : body,
    headers: { ...varied, 'content-encoding': 'gzip' },
  };
}

function acceptEncodingOf(request: IncomingMessage): string {
  return String(request.headers['accept-encoding'] ?? '');
}

/** What is written comes packed to the client; ends with it. */
function packing(response: ServerResponse): Writable {
  const gzip = createGzip({ level: GZIP_LEVEL });
  response.once('close', () => gzip.destroy());
  gzip.on('error', () => response.destroy());
  gzip.pipe(response);
  return gzip;
}

/** Each piece at once; ends with the body or with the connection. */
async function sendAsItComes(response: ServerResponse, body: AsyncIterable<string>): Promise<void> {
  const pieces = body[Symbol.asyncIterator]();
  const gone = new Promise<{ done: true }>((resolve) =>
    response.once('close', () => resolve({ done: true })),
  );
  for (;;) {
    const next = await Promise.race([pieces.next(), gone]);
    if (next.done || response.destroyed) break;
    if (!response.write(next.value)) await drained(response);
  }
  await pieces.return?.();
  response.end();
}

/** Gathered to pieces worth a write; whoever else waits for the event loop gets its turn. */
async function sendInPieces(sink: Writable, body: Iterable<string>): Promise<void> {
  let piece = '';
  let sliceStartedAtMs = performance.now();
  for (const part of body) {
    piece += part;
    const isDue = performance.now() - sliceStartedAtMs > HTTP_BOUNDS.sliceMs;
    if (piece.length < HTTP_BOUNDS.pieceCharacters && !isDue) continue;
    const hasRoom = sink.write(piece);
    piece = '';
    if (!hasRoom) await drained(sink);
    if (isDue) {
      // Also after a wait: a socket that took everything at once drains before the event loop has turned.
      await turn();
      sliceStartedAtMs = performance.now();
    }
    if (sink.destroyed) return;
  }
  sink.end(piece);
}

/** Resolves when the sink takes more, or is gone. */
function drained(sink: Writable): Promise<void> {
  if (sink.destroyed || !sink.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      sink.off('drain', done);
      sink.off('close', done);
      resolve();
    };
    sink.on('drain', done);
    sink.on('close', done);
  });
}

/** What is not HTTP, or too large, or too slow, has no request to answer to. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const message = `${STATUS_CODES[status]}: the request could not be read`;
  const body = `${JSON.stringify({ error: { code: 'REQUEST_INVALID', message, field: '' } })}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function pathOf(request: IncomingMessage): string {
  return splitOnce(request.url ?? '', '?')[0];
}
