import { type FileHandle, open } from 'node:fs/promises';
import { setFileAside } from './aside.ts';
import { type Disk, isErrno, overwriteFile, replaceFile } from './disk.ts';
import { segmentName } from './segment.ts';

export interface SegmentFilesOptions {
  readonly disk: Disk;
  readonly aside: string;
  readonly producerId: string;
}

/** Reads and replaces whole segments of batches. */
export class SegmentFiles {
  readonly #options: SegmentFilesOptions;
  /** Used for one segment after the other, so that reading a long backlog takes no more memory than one. */
  #buffer = Buffer.alloc(0);

  constructor(options: SegmentFilesOptions) {
    this.#options = options;
  }

  /**
   * A file that cannot be read at all is as good as empty: what it held is lost, and said to be.
   * @returns bytes that are good until the next call
   */
  async read(path: string): Promise<Buffer> {
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      const { size } = await file.stat();
      if (this.#buffer.length < size) this.#buffer = Buffer.allocUnsafeSlow(size);
      let done = 0;
      for (let got = 1; got > 0 && done < size; done += got) {
        got = (await file.read(this.#buffer, done, size - done, done)).bytesRead;
      }
      return this.#buffer.subarray(0, done);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'EIO')) return Buffer.alloc(0);
      throw error;
    } finally {
      await file?.close();
    }
  }

  /**
   * Replaces a segment; on a disk without room for a second file, over the beginning of the old one. A crash
   * half-way then leaves damage, which is found and counted when the segment is read.
   */
  async replaceSomehow(path: string, content: Buffer): Promise<void> {
    try {
      await replaceFile(this.#options.disk, path, content);
    } catch (error) {
      if (!isErrno(error, 'ENOSPC')) throw error;
      await overwriteFile(path, content);
    }
  }

  async keepAside(path: string, ordinal: number): Promise<void> {
    const { disk, aside, producerId } = this.#options;
    await setFileAside(disk, path, aside, `${producerId.slice(0, 8)}-${segmentName('batch', ordinal)}`);
  }
}
