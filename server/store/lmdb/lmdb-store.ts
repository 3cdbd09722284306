import { randomUUID } from 'node:crypto';
import { RETENTION_DAYS } from '../page.ts';
import type { Store } from '../store.ts';
import { type Environment, openEnvironment } from './environment.ts';
import { LmdbFacts } from './facts.ts';
import { LmdbJournal } from './journal.ts';
import { LmdbLedger } from './ledger.ts';
import { type Ownership, takeOwnership } from './owner.ts';
import { Transactions } from './transactions.ts';

export interface LmdbStoreOptions {
  /** Made when it is missing. On a local disk: LMDB does not work over a network file system. */
  readonly directory: string;
  /** Reads beside a running daemon; every write rejects with STORE_READ_ONLY. */
  readonly readOnly?: boolean;
  /** A write that is not on the disk after this long rejects with StoreUnavailable. */
  readonly commandTimeoutMs?: number;
  /** Days for which minutes are kept. */
  readonly retentionDays?: number;
}

const COMMAND_TIMEOUT_MS = 5_000;
const STORE_ID = Buffer.from('store-id');
const PING = Buffer.from('ping');

/**
 * Opens the books in a data directory.
 * @throws StoreFault STORE_IN_USE when another daemon has it, STORE_MISSING when there is nothing to read
 */
export async function openLmdbStore(options: LmdbStoreOptions): Promise<Store> {
  const environment = openEnvironment(options.directory, options.readOnly ?? false);
  let ownership: Ownership | null = null;
  try {
    if (!environment.isReadOnly) {
      ownership = await takeOwnership(environment);
      createStoreId(environment);
    }
  } catch (error) {
    await environment.root.close();
    throw error;
  }
  const timeoutMs = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
  const transactions = new Transactions(environment, () => ownership?.assertHeld(), timeoutMs);
  return {
    facts: new LmdbFacts(environment, transactions, options.retentionDays ?? RETENTION_DAYS),
    journal: new LmdbJournal(environment, transactions),
    ledger: new LmdbLedger(environment, transactions),
    async storeId() {
      return transactions.read(() => environment.meta.get(STORE_ID)?.toString() ?? '');
    },
    async ping() {
      await transactions.write(() => environment.meta.putSync(PING, Buffer.from(randomUUID())));
    },
    // The data directory is part of the process: it is not lost and found again while the process runs.
    onRestored() {},
    async close() {
      await transactions.close();
      ownership?.release();
      await environment.root.close();
    },
  };
}

function createStoreId({ root, meta }: Environment): void {
  root.transactionSync(() => {
    if (meta.get(STORE_ID) === undefined) meta.putSync(STORE_ID, Buffer.from(randomUUID()));
  });
}
