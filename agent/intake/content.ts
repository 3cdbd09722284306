import type { FileHandle } from 'node:fs/promises';
import { createGunzip, type Gunzip } from 'node:zlib';

/**
 * Why the bytes of a compressed file end before their time: `cut-off` = the file ends inside the stream, maybe
 * because it is still being written; `broken` = what is there is not gzip.
 */
export type Damage = 'cut-off' | 'broken';

/** The bytes of a followed file, unpacked. */
export interface Content {
  /** At most `most` bytes from `offset` on; an empty buffer at the end. What comes before damage is read first. */
  read(offset: number, most: number): Promise<Buffer | Damage>;
  /** Forgets what was read of the file, which may have grown since. */
  rewind(): void;
}

export class PlainContent implements Content {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(offset: number, most: number): Promise<Buffer> {
    const bytes = Buffer.alloc(most);
    const { bytesRead } = await this.#handle.read(bytes, 0, most, offset);
    return bytes.subarray(0, bytesRead);
  }

  rewind(): void {}
}

/** Compressed bytes unpacked at a time: a thousandfold of it, the most that gzip can make, is held at once. */
const PACKED_BYTES = 4 * 1024;
const NOTHING = Buffer.alloc(0);

/** A gzip file of one or several members. Reading backwards unpacks it again from its beginning. */
export class GzipContent implements Content {
  readonly #handle: FileHandle;
  #gunzip: Gunzip | undefined;
  #packedAt = 0;
  /** Unpacked and not read, and where it begins. */
  #ready: Buffer[] = [];
  #readyAt = 0;
  #end: 'reached' | Damage | undefined;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(offset: number, most: number): Promise<Buffer | Damage> {
    if (offset < this.#readyAt) this.rewind();
    for (;;) {
      const first = this.#ready[0];
      if (!first) {
        if (this.#end) return this.#end === 'reached' ? NOTHING : this.#end;
        await this.#unpack();
        continue;
      }
      const skipped = Math.min(offset - this.#readyAt, first.length);
      const bytes = first.subarray(skipped, skipped + most);
      this.#readyAt += skipped + bytes.length;
      const left = first.subarray(skipped + bytes.length);
      if (left.length > 0) this.#ready[0] = left;
      else this.#ready.shift();
      if (bytes.length > 0) return bytes;
    }
  }

  rewind(): void {
    this.#gunzip?.destroy();
    this.#gunzip = undefined;
    this.#packedAt = 0;
    this.#ready = [];
    this.#readyAt = 0;
    this.#end = undefined;
  }

  async #unpack(): Promise<void> {
    const packed = Buffer.alloc(PACKED_BYTES);
    const { bytesRead } = await this.#handle.read(packed, 0, PACKED_BYTES, this.#packedAt);
    // An empty file is one whose writer has only just begun; zlib would take it for an empty stream.
    if (bytesRead === 0 && this.#packedAt === 0) {
      this.#end = 'cut-off';
      return;
    }
    this.#packedAt += bytesRead;
    const gunzip = this.#gunzip ?? this.#start();
    await new Promise<void>((resolve) => {
      // After bytes behind the last member zlib ends without calling back.
      gunzip.once('close', resolve);
      const done = () => {
        gunzip.off('close', resolve);
        resolve();
      };
      if (bytesRead > 0) gunzip.write(packed.subarray(0, bytesRead), done);
      else gunzip.end();
    });
  }

  #start(): Gunzip {
    const gunzip = createGunzip();
    this.#gunzip = gunzip;
    // Flowing, because a stream that fails throws away what it holds.
    gunzip.on('data', (bytes: Buffer) => this.#ready.push(bytes));
    gunzip.on('end', () => {
      this.#end ??= 'reached';
    });
    gunzip.on('error', (error: NodeJS.ErrnoException) => {
      this.#end ??= error.code === 'Z_BUF_ERROR' ? 'cut-off' : 'broken';
    });
    return gunzip;
  }
}
