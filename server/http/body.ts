import type { IncomingMessage } from 'node:http';
import { type Answer, refusal } from './answer.ts';

/** An exclusion or a silence is a few hundred bytes. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Reads a request's body as JSON.
 * The content type must say so: a form of another site cannot, and so it cannot write here.
 */
export async function readJsonBody(
  request: IncomingMessage,
): Promise<{ readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly answer: Answer }> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/json') {
    return no(refusal('MEDIA_TYPE_UNSUPPORTED', 'send JSON, with "Content-Type: application/json"'));
  }
  const tooLarge = refusal('BODY_TOO_LARGE', `the body has more than ${MAX_BODY_BYTES} bytes; send less`, {
    headers: { connection: 'close' },
  });
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return no(tooLarge);
  const pieces: Buffer[] = [];
  let bytes = 0;
  // Leaving early must not destroy the socket that the refusal goes out on.
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MAX_BODY_BYTES) return no(tooLarge);
    pieces.push(piece);
  }
  try {
    return { ok: true, value: JSON.parse(Buffer.concat(pieces).toString('utf8')) };
  } catch (error) {
    return no(
      refusal('BODY_NOT_JSON', `the body is not JSON (${(error as Error).message}); send one object`),
    );
  }
}

function no(answer: Answer): { readonly ok: false; readonly answer: Answer } {
  return { ok: false, answer };
}
