import type { Disk } from './disk.ts';
import type { DirectoryLock } from './lock.ts';

/**
 * A disk that is changed only while the lock is held. A process may be suspended at any step: it is asked before each
 * write and deletion, and once more behind what is to be durable, since whoever has the directory by then has read it.
 * Every step rejects with SpoolTakenError from then on, but for reading.
 */
export function guardedDisk(disk: Disk, lock: Pick<DirectoryLock, 'taken'>): Disk {
  const assertHeld = async () => {
    const taken = await lock.taken();
    if (taken) throw taken;
  };
  const ifHeld =
    <A extends unknown[], R>(step: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      await assertHeld();
      return step(...args);
    };
  return {
    create: ifHeld(async (path: string) => {
      const file = await disk.create(path);
      return {
        write: ifHeld((bytes: Buffer) => file.write(bytes)),
        datasync: async () => {
          await file.datasync();
          await assertHeld();
        },
        close: () => file.close(),
      };
    }),
    overwrite: ifHeld(async (path: string) => {
      const file = await disk.overwrite(path);
      return { write: ifHeld((bytes: Buffer) => file.write(bytes)), close: () => file.close() };
    }),
    read: (path) => disk.read(path),
    // Of whoever has the directory by then it may be the only copy.
    remove: ifHeld((path: string) => disk.remove(path)),
    syncDirectory: async (path) => {
      await disk.syncDirectory(path);
      await assertHeld();
    },
    space: (path) => disk.space(path),
  };
}
