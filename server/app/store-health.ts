import type { Log } from '../log.ts';
import type { Store } from '../store/store.ts';

/** Whether the store answers, as of the last look; readiness must not wait for a store that hangs. */
export class StoreHealth {
  private readonly store: Store;
  private readonly log: Log;
  private readonly onChange: (isUp: boolean) => void;
  private isAnswering: boolean | null = null;

  constructor(store: Store, log: Log, onChange: (isUp: boolean) => void) {
    this.store = store;
    this.log = log;
    this.onChange = onChange;
  }

  get isUp(): boolean {
    return this.isAnswering === true;
  }

  async look(): Promise<void> {
    try {
      await this.store.ping();
      this.change(true);
    } catch (error) {
      if (this.change(false)) this.log.error({ error }, 'the store does not answer');
    }
  }

  private change(isUp: boolean): boolean {
    if (this.isAnswering === isUp) return false;
    if (isUp && this.isAnswering === false) this.log.info('the store answers again');
    this.isAnswering = isUp;
    this.onChange(isUp);
    return true;
  }
}
