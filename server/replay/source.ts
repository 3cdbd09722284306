import { createReadStream, readSync } from 'node:fs';
import { access, constants, type FileHandle, open, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';

const READ_BYTES = 256 * 1024;
/** Chunks of a file between two turns of the event loop, in which a signal is noticed: some milliseconds. */
const CHUNKS_A_TURN = 8;
const GZIP_MAGIC = [0x1f, 0x8b] as const;
/** Standard input, as a file's name. */
export const STDIN = '-';

/** An input that cannot be read: a sentence with the file and the fix. */
export class SourceUnreadable extends Error {
  readonly code = 'INPUT_UNREADABLE';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SourceUnreadable';
  }
}

export interface Source {
  readonly name: string;
  /** Bytes as stored, compressed or not; undefined when nobody knows, as of a pipe. */
  readonly sizeBytes: number | undefined;
  /**
   * The text's bytes; a chunk is valid until the next one is asked for. Gzip is recognised by its first bytes,
   * whatever the name.
   */
  chunks(reading: SourceReading): AsyncIterable<Uint8Array>;
}

export interface SourceReading {
  readonly signal: AbortSignal;
  /** Called with the bytes as stored, compressed or not. */
  readonly onRead?: (storedBytes: number) => void;
  /** Where the next chunk of a plain file is to be put. */
  readonly space?: () => Uint8Array;
}

/**
 * Looks at every input before any is read, so that a misspelt last name does not cost an hour.
 * @throws SourceUnreadable for the first that is missing, is no file, may not be read, or is named twice
 */
export async function openSources(names: readonly string[], stdin: Readable): Promise<Source[]> {
  const sources: Source[] = [];
  const seen = new Map<string, string>();
  for (const name of names) {
    const { identity, isFile, sizeBytes } = name === STDIN ? ON_STDIN : await look(name);
    const twin = seen.get(identity);
    if (twin !== undefined) {
      const other = twin === name ? 'twice' : `and is the same file as ${twin}`;
      throw new SourceUnreadable(`${name} is named ${other}; its outcomes would count double: name it once`);
    }
    seen.set(identity, name);
    sources.push({
      name,
      sizeBytes,
      chunks: (reading) =>
        isFile
          ? chunksOfFile(name, reading)
          : chunksOf(name, name === STDIN ? stdin : createReadStream(name), reading),
    });
  }
  return sources;
}

interface Looks {
  readonly identity: string;
  readonly isFile: boolean;
  readonly sizeBytes: number | undefined;
}

const ON_STDIN: Looks = { identity: STDIN, isFile: false, sizeBytes: undefined };

/** Not by opening it: the writer of a named pipe would lose its reader when it is closed again. */
async function look(name: string): Promise<Looks> {
  try {
    const stats = await stat(name, { bigint: true });
    if (stats.isDirectory()) throw new SourceUnreadable(`${name} is a directory; name the files in it`);
    await access(name, constants.R_OK);
    // A pipe has no size, and neither has a file of /proc.
    const isFile = stats.isFile();
    const sizeBytes = isFile && stats.size > 0n ? Number(stats.size) : undefined;
    return { identity: `${stats.dev}:${stats.ino}`, isFile, sizeBytes };
  } catch (error) {
    throw unreadable(name, error);
  }
}

async function* chunksOfFile(name: string, reading: SourceReading): AsyncGenerator<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(name, 'r');
    const head = new Uint8Array(GZIP_MAGIC.length);
    await handle.read(head, 0, head.length, 0);
    if (isGzip(head)) yield* chunksOf(name, createReadStream(name), reading);
    else if (name.endsWith('.gz')) throw notGzip(name);
    else yield* readPlain(handle, reading);
  } catch (error) {
    throw unreadable(name, error);
  } finally {
    await handle?.close();
  }
}

/**
 * Synchronously: the bytes come from the kernel's cache, which reads ahead by itself, and stay in that of this
 * core; through the thread pool they would come from another one's, at twice the cost.
 */
async function* readPlain(handle: FileHandle, reading: SourceReading): AsyncGenerator<Uint8Array> {
  const own = new Uint8Array(READ_BYTES);
  const { signal, onRead, space = () => own } = reading;
  for (let chunk = 1; !signal.aborted; chunk++) {
    const buffer = space();
    const bytes = readSync(handle.fd, buffer, 0, buffer.length, null);
    if (bytes === 0) return;
    onRead?.(bytes);
    yield buffer.subarray(0, bytes);
    if (chunk % CHUNKS_A_TURN === 0) await turn();
  }
}

async function* chunksOf(
  name: string,
  stored: Readable,
  { onRead, signal }: SourceReading,
): AsyncGenerator<Uint8Array> {
  const stop = () => stored.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const counted = countBytes(stored, onRead);
    let head: Uint8Array = new Uint8Array(0);
    while (head.length < GZIP_MAGIC.length) {
      const { value, done } = await counted.next();
      if (done) break;
      head = Buffer.concat([head, value]);
    }
    const whole = prepend(head, counted);
    if (isGzip(head)) yield* gunzip(whole);
    else if (name.endsWith('.gz')) throw notGzip(name);
    else yield* whole;
  } catch (error) {
    if (signal.aborted) return;
    throw unreadable(name, error);
  } finally {
    signal.removeEventListener('abort', stop);
    stored.destroy();
  }
}

function isGzip(head: Uint8Array): boolean {
  return GZIP_MAGIC.every((byte, index) => head[index] === byte);
}

function notGzip(name: string): SourceUnreadable {
  return new SourceUnreadable(`${name} is not gzip data; rename it without .gz`);
}

async function* countBytes(stored: Readable, onRead: SourceReading['onRead']): AsyncGenerator<Uint8Array> {
  for await (const chunk of stored) {
    onRead?.(chunk.length);
    yield chunk;
  }
}

async function* prepend(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

async function* gunzip(stored: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const text = createGunzip({ chunkSize: READ_BYTES });
  const feeding = pipeline(stored, text);
  // A fault also breaks the loop below, which is where it is reported.
  feeding.catch(() => {});
  for await (const chunk of text) yield chunk;
  await feeding;
}

function unreadable(name: string, cause: unknown): SourceUnreadable {
  if (cause instanceof SourceUnreadable) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const shownName = name === STDIN ? 'standard input' : name;
  return new SourceUnreadable(`${shownName} ${SENTENCES[code ?? ''] ?? `cannot be read: ${message}`}`, {
    cause,
  });
}

const SENTENCES: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist; check the path',
  ENOTDIR: 'does not exist: a part of its path is a file; check the path',
  EACCES: 'may not be read by this user; change its permissions',
  EISDIR: 'is a directory; name the files in it',
  Z_BUF_ERROR: 'ends in the middle of its gzip data; it was cut off, so copy it again',
  Z_DATA_ERROR: 'holds damaged gzip data; copy it again, and check it with gzip -t',
};
