import { type Disk, realDisk } from '../../../agent/spool/disk.ts';

/** The real disk, on which writes of bytes that hold a certain text fail, as on a disk that has just become full. */
export class PoisonedDisk implements Disk {
  readonly #text: string;
  /** Writes to come that fail; an append tries a second file, so two fail one append. */
  failures = 0;
  /** Told of each write of the text, before it is done. */
  onWrite: () => void = () => {};

  constructor(text: string) {
    this.#text = text;
  }

  async create(path: string) {
    const file = await realDisk.create(path);
    return {
      write: async (bytes: Buffer) => {
        if (bytes.includes(this.#text)) {
          this.onWrite();
          if (this.failures > 0) {
            this.failures -= 1;
            throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
          }
        }
        await file.write(bytes);
      },
      datasync: () => file.datasync(),
      close: () => file.close(),
    };
  }

  overwrite = realDisk.overwrite;
  read = realDisk.read;
  remove = realDisk.remove;
  syncDirectory = realDisk.syncDirectory;
  space = realDisk.space;
}
