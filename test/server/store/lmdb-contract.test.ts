import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbStore } from '../../../server/store/lmdb/lmdb-store.ts';
import { describeStore } from '../../contract/store.ts';

describeStore('LMDB', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'roomwatch-lmdb-'));
  const store = await openLmdbStore({ directory });
  return {
    store,
    async close() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
});
