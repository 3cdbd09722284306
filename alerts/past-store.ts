import { type Alert, entryId, severityAtLeast } from './alert.ts';
import type { Log } from './log.ts';
import type { Announcement } from './policy.ts';
import type { MessageReceiver } from './receiver.ts';
import { StoreLoss } from './store-loss.ts';

export interface PastStoreOptions {
  readonly receivers: readonly MessageReceiver[];
  readonly nowMs: () => number;
  readonly log: Log;
  readonly dryRun: boolean;
  /** How long what was decided waits for the store. */
  readonly directAfterMs: number;
  /** After how long without any evaluation everybody is told. */
  readonly lossAfterMs: number;
  readonly send: (announcements: readonly Announcement[]) => void;
}

/** Ids sent past the store that are remembered, so that they are not sent again through it. */
const SENT_IDS_MAX = 1_000;

/**
 * The way around a store that does not answer. Messages that it did not take are held for `directAfterMs` and then
 * sent from memory; that it stays away is itself said. Duplicates are possible here, silence is not.
 */
export class PastStore {
  readonly #options: PastStoreOptions;
  readonly #held = new Map<string, Announcement>();
  readonly #sent = new Set<string>();
  readonly #loss: StoreLoss;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PastStoreOptions) {
    this.#options = options;
    this.#loss = new StoreLoss(options.lossAfterMs);
  }

  /** The store did not take these. */
  hold(announcements: readonly Announcement[]): void {
    for (const announcement of announcements) this.#held.set(announcement.id, announcement);
    if (this.#held.size > 0) this.#timer ??= setTimeout(() => this.flush(), this.#options.directAfterMs);
  }

  wasSent(id: string): boolean {
    return this.#sent.has(id);
  }

  /** A service was evaluated: what was held of it is in the store by now, or was decided anew. */
  evaluated(service: string): void {
    for (const { id, alert } of this.#held.values()) if (alert.service === service) this.#held.delete(id);
    this.#announce(this.#loss.succeeded(this.#options.nowMs()));
  }

  /** No evaluation could be made. */
  failed(): void {
    this.#announce(this.#loss.failed(this.#options.nowMs()));
  }

  /** Sends what is held now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#held.size === 0) return;
    this.#options.log.error(
      { count: this.#held.size },
      'the store does not take what was decided; sending past it',
    );
    this.#options.send([...this.#held.values()]);
    for (const id of this.#held.keys()) this.#sent.add(id);
    this.#held.clear();
    for (const oldest of this.#sent) {
      if (this.#sent.size <= SENT_IDS_MAX) break;
      this.#sent.delete(oldest);
    }
  }

  #announce(alert: Alert | null): void {
    if (alert === null) return;
    const { log, dryRun, receivers, send } = this.#options;
    log.error({ key: alert.key, kind: alert.kind, dryRun }, 'the store does not answer, or does again');
    if (dryRun) return;
    const heard = receivers.filter(({ route }) => severityAtLeast(alert.severity, route.minSeverity));
    send(heard.map(({ name }) => ({ id: entryId(alert, name), receiver: name, alert })));
  }
}
