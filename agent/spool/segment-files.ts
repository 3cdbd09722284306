import { moveFileAside, setFileAside } from './aside.ts';
import { type Disk, isErrno, overwriteFile, replaceFile } from './disk.ts';
import { readAround } from './read-around.ts';
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
    const { bytes } = await readAround(this.#options.disk, path, (size) => {
      if (this.#buffer.length < size) this.#buffer = Buffer.allocUnsafeSlow(size);
      return this.#buffer;
    });
    return bytes;
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
    const { disk, aside } = this.#options;
    await setFileAside(disk, path, aside, this.#asideName(ordinal));
  }

  async moveAside(path: string, ordinal: number): Promise<void> {
    const { disk, aside } = this.#options;
    await moveFileAside(disk, path, aside, this.#asideName(ordinal));
  }

  #asideName(ordinal: number): string {
    return `${this.#options.producerId.slice(0, 8)}-${segmentName('batch', ordinal)}`;
  }
}
