import type { Cause } from '../../sla/cause.ts';
import type { IdHash } from '../../sla/lines/id-hash.ts';

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
  /** Of its id, if it has one. */
  id: IdHash | undefined;
}
