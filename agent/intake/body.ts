import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { isErrno } from '../spool/disk.ts';

/** Of a body, also after gzip. */
const BODY_BYTES = 1024 * 1024;
/** Of the bodies being received at once; more are told to come again. */
const RECEIVING_BYTES = 32 * 1024 * 1024;

/** Receives bodies within a bound on one and on all of them together. */
export class Bodies {
  #receiving = 0;

  async receive(
    request: IncomingMessage,
    maxBytes = BODY_BYTES,
  ): Promise<Buffer | 'too-large' | 'busy' | 'aborted'> {
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > maxBytes) return 'too-large';
    const chunks: Buffer[] = [];
    let bytes = 0;
    // By events, because leaving a loop over the stream would destroy the socket before the answer is read.
    const result = await new Promise<Buffer | 'too-large' | 'busy' | 'aborted'>((resolve) => {
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        this.#receiving += chunk.length;
        if (bytes > maxBytes) resolve('too-large');
        else if (this.#receiving > RECEIVING_BYTES) resolve('busy');
        else chunks.push(chunk);
      });
      request.on('end', () => resolve(Buffer.concat(chunks)));
      request.on('close', () => resolve('aborted'));
      request.on('error', () => resolve('aborted'));
    });
    this.#receiving -= bytes;
    request.removeAllListeners('data');
    // The rest is read and dropped until the answer is out or the time for the request is up.
    request.resume();
    return result;
  }

  async inflate(body: Buffer): Promise<Buffer | 'too-large' | 'not-gzip'> {
    // Until it is its turn it takes its place among the bodies.
    this.#receiving += body.length;
    try {
      return await promisify(gunzip)(body, { maxOutputLength: BODY_BYTES });
    } catch (error) {
      // The one is cured by sending less at once, the other by no repeat.
      return isErrno(error, 'ERR_BUFFER_TOO_LARGE') ? 'too-large' : 'not-gzip';
    } finally {
      this.#receiving -= body.length;
    }
  }
}
