import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { bodyFailure, type Failure } from './failure.ts';

/**
 * Why what came over a connection could not be read as a request.
 * @returns undefined when the connection merely broke, and nobody is there to be answered
 */
export function unreadableFailure({ code = '' }: NodeJS.ErrnoException): Failure | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const message = 'the request did not come in time; send it again, faster or smaller';
    return { status: 408, code: 'REQUEST_TIMEOUT', message };
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return { status: 431, code: 'HEADERS_TOO_LARGE', message: 'the headers are more than 8 KiB; send fewer' };
  }
  if (code === 'HPE_INVALID_EOF_STATE') return bodyFailure('aborted', '');
  if (!code.startsWith('HPE_')) return undefined;
  return {
    status: 400,
    code: 'REQUEST_MALFORMED',
    message: `this is no HTTP request (${code}); speak HTTP/1.1`,
  };
}

/** Answers on a connection that has no request to answer, and ends it. */
export function answerUnreadable(socket: Duplex, { status, code, message, field }: Failure): void {
  const body = `${JSON.stringify({ error: { code, message, field: field ?? '' } })}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  // At once: who does not read the answer must not hold the connection.
  socket.destroy();
}
