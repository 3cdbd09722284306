import type { Disk } from './disk.ts';
import type { DirectoryLock } from './lock.ts';

/**
 * A disk that is written only while the lock is held. A process may be suspended at any step: it is asked before each
 * write, and once more behind each that is to be durable, since whoever has the directory by then has read it already.
 * Every step rejects with SpoolTakenError from then on, but for reading.
 */
export function guardedDisk(disk: Disk, lock: Pick<DirectoryLock, 'taken'>): Disk {
  const assertHeld = async () => {
    const taken = await lock.taken();
    if (taken) throw taken;
  };
  return {
    create: async (path) => {
      await assertHeld();
      const file = await disk.create(path);
      return {
        write: async (bytes) => {
          await assertHeld();
          await file.write(bytes);
        },
        datasync: async () => {
          await file.datasync();
          await assertHeld();
        },
        close: () => file.close(),
      };
    },
    overwrite: async (path) => {
      await assertHeld();
      const file = await disk.overwrite(path);
      return {
        write: async (bytes) => {
          await assertHeld();
          await file.write(bytes);
        },
        close: () => file.close(),
      };
    },
    read: (path) => disk.read(path),
    // Of whoever has the directory by then it may be the only copy.
    remove: async (path) => {
      await assertHeld();
      await disk.remove(path);
    },
    syncDirectory: async (path) => {
      await disk.syncDirectory(path);
      await assertHeld();
    },
    space: (path) => disk.space(path),
  };
}
