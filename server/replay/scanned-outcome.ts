import type { Cause } from '../../sla/cause.ts';
import { ABSENT } from './byte-text.ts';
import { IdHash } from './id-hash.ts';

/**
 * What a replay needs of one outcome of its service. One object is filled again for every line, because
 * millions of lines must not become millions of objects: it is valid only until the next line is read.
 */
export class ScannedOutcome {
  startedAtMs = 0;
  count = 1;
  result: 'ok' | 'failed' = 'ok';
  /** Of a failed outcome. */
  cause: Cause = 'unknown';
  /** Where the id stands in `view`; `idStart` is ABSENT when the id, if any, is in `idText`. */
  idStart: number = ABSENT;
  idEnd: number = ABSENT;
  idText: string | undefined;
  readonly #view: DataView;
  readonly #hash = new IdHash();

  constructor(view: DataView) {
    this.#view = view;
  }

  get hasId(): boolean {
    return this.idStart !== ABSENT || this.idText !== undefined;
  }

  /** The hash of the id; asked for only when it matters, and valid as long as the outcome. */
  idHash(): IdHash {
    if (this.idText !== undefined) this.#hash.ofText(this.idText);
    else this.#hash.ofBytes(this.#view, this.idStart, this.idEnd);
    return this.#hash;
  }
}
