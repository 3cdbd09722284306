/** The longest that an acknowledgement is put off. */
const OWED_MS = 50;

/** Connections that are owed an acknowledgement, paid at the latest after OWED_MS; one timer for all. */
export class OwedAcks {
  readonly #owed = new Set<{ acknowledge(): void }>();
  #timer: NodeJS.Timeout | null = null;

  add(connection: { acknowledge(): void }): void {
    this.#owed.add(connection);
    this.#timer ??= setTimeout(() => this.pay(), OWED_MS);
  }

  /** Acknowledges all of them now. */
  pay(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const connection of this.#owed) connection.acknowledge();
    this.#owed.clear();
  }
}
