import { StoreFault } from '../errors.ts';
import { StoreUnavailable } from '../store.ts';
import type { Environment } from './environment.ts';

export const TRANSACTION_BOUNDS = {
  /** Calls waiting for a transaction; one more is refused. */
  callsWaiting: 20_000,
  /** Calls of one transaction: the event loop is busy while they run. */
  callsPerTransaction: 256,
} as const;

interface Job {
  /** Runs inside the transaction. */
  readonly work: () => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The only way to the databases. Writes run in transactions, one after the other; what is asked for while one is
 * being flushed goes into the next one together, so that a busy daemon pays one fsync for many calls.
 */
export class Transactions {
  readonly #environment: Environment;
  readonly #assertHeld: () => void;
  readonly #timeoutMs: number;
  #waiting: Job[] = [];
  #isRunning = false;
  #isClosed = false;
  #idle: Promise<void> = Promise.resolve();

  constructor(environment: Environment, assertHeld: () => void, timeoutMs: number) {
    this.#environment = environment;
    this.#assertHeld = assertHeld;
    this.#timeoutMs = timeoutMs;
  }

  /** @param work reads synchronously and sees one state of the books */
  async read<T>(work: () => T): Promise<T> {
    this.#assertOpen();
    return work();
  }

  /**
   * Resolves when the transaction is on the disk.
   * @param work reads and writes synchronously; when it throws, none of its writes remain
   * @throws StoreUnavailable when the transaction could not be written in time
   */
  async write<T>(work: () => T): Promise<T> {
    const { directory, isReadOnly } = this.#environment;
    if (isReadOnly)
      throw new StoreFault('STORE_READ_ONLY', `${directory} is open for reading only; ask the daemon`);
    this.#assertOpen();
    if (this.#waiting.length >= TRANSACTION_BOUNDS.callsWaiting)
      throw new StoreUnavailable(
        `${this.#waiting.length} calls wait for the disk of ${directory}; it is too slow`,
      );
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#waiting.push({ work, resolve: (result) => resolve(result as T), reject });
        const late = () =>
          reject(
            new StoreUnavailable(`the disk of ${directory} did not answer within ${this.#timeoutMs} ms`),
          );
        timer = setTimeout(late, this.#timeoutMs);
        if (!this.#isRunning) this.#idle = this.#runWaiting();
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for the transactions already asked for. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#idle;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new StoreUnavailable('the store was closed');
  }

  async #runWaiting(): Promise<void> {
    this.#isRunning = true;
    // What is asked for in the same tick belongs together.
    await Promise.resolve();
    while (this.#waiting.length > 0)
      await this.#runGroup(this.#waiting.splice(0, TRANSACTION_BOUNDS.callsPerTransaction));
    this.#isRunning = false;
  }

  async #runGroup(group: readonly Job[]): Promise<void> {
    let finish: (() => void)[] = [];
    try {
      await this.#environment.root.transaction(() => {
        this.#assertHeld();
        finish = group.map((job) => this.#runJob(job));
      });
      for (const settle of finish) settle();
    } catch (error) {
      const fault = error instanceof StoreFault ? error : await this.#explain(error);
      for (const job of group) job.reject(fault);
    }
  }

  /** In a nested transaction, so that a call that throws halfway takes its own writes back and no others. */
  #runJob({ work, resolve, reject }: Job): () => void {
    try {
      const result = this.#environment.root.transactionSync(work);
      return () => resolve(result);
    } catch (error) {
      return () => reject(error);
    }
  }

  async #explain(error: unknown): Promise<StoreUnavailable> {
    // lmdb says only that the commit failed; the reason comes as a second rejection, on `commitError`.
    const second = (error as { commitError?: Promise<unknown> }).commitError;
    const reason = await Promise.race([
      second?.then(
        () => error,
        (cause: unknown) => cause,
      ) ?? error,
      new Promise((resolve) => setImmediate(() => resolve(error))),
    ]);
    const why = reason instanceof Error ? reason.message : String(reason);
    const message = `the books in ${this.#environment.directory} could not be written (${why}); free disk space or see its log`;
    return new StoreUnavailable(message, { cause: reason });
  }
}
