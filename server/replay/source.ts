import { createReadStream } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

const READ_BYTES = 512 * 1024;
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
  /** The text's bytes. Gzip is recognised by its first bytes, whatever the name. */
  chunks(onRead: (storedBytes: number) => void, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

/**
 * Looks at every input before any is read, so that a misspelt last name does not cost an hour.
 * @throws SourceUnreadable for the first that is missing, is no file, may not be read, or is named twice
 */
export async function openSources(names: readonly string[], stdin: Readable): Promise<Source[]> {
  const sources: Source[] = [];
  const seen = new Map<string, string>();
  for (const name of names) {
    const { identity, sizeBytes } =
      name === STDIN ? { identity: STDIN, sizeBytes: undefined } : await look(name);
    const twin = seen.get(identity);
    if (twin !== undefined) {
      const other = twin === name ? 'twice' : `and is the same file as ${twin}`;
      throw new SourceUnreadable(`${name} is named ${other}; its outcomes would count double: name it once`);
    }
    seen.set(identity, name);
    sources.push({
      name,
      sizeBytes,
      chunks: (onRead, signal) => chunksOf(name, name === STDIN ? stdin : undefined, { onRead, signal }),
    });
  }
  return sources;
}

/** Not by opening it: the writer of a named pipe would lose its reader when it is closed again. */
async function look(name: string): Promise<{ identity: string; sizeBytes: number | undefined }> {
  try {
    const stats = await stat(name, { bigint: true });
    if (stats.isDirectory()) throw new SourceUnreadable(`${name} is a directory; name the files in it`);
    await access(name, constants.R_OK);
    // A pipe has no size, and neither has a file of /proc.
    const sizeBytes = stats.isFile() && stats.size > 0n ? Number(stats.size) : undefined;
    return { identity: `${stats.dev}:${stats.ino}`, sizeBytes };
  } catch (error) {
    throw unreadable(name, error);
  }
}

async function* chunksOf(
  name: string,
  stdin: Readable | undefined,
  { onRead, signal }: { onRead: (storedBytes: number) => void; signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const stored = stdin ?? createReadStream(name, { highWaterMark: READ_BYTES });
  const stop = () => stored.destroy();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const counted = countBytes(stored, onRead);
    const first = await counted.next();
    if (first.done) return;
    const rest = prepend(first.value, counted);
    if (GZIP_MAGIC.every((byte, index) => first.value[index] === byte)) yield* gunzip(rest);
    else if (name.endsWith('.gz'))
      throw new SourceUnreadable(`${name} is not gzip data; rename it without .gz`);
    else yield* rest;
  } catch (error) {
    if (signal.aborted) return;
    throw unreadable(name, error);
  } finally {
    signal.removeEventListener('abort', stop);
    stored.destroy();
  }
}

async function* countBytes(stored: Readable, onRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of stored) {
    onRead(chunk.length);
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
