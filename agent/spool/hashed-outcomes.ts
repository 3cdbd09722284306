import type { IdHash } from '../../sla/lines/id-hash.ts';
import type { OutcomeLabels } from '../labels.ts';

/** Outcomes with ids that were hashed where they were read, in columns: an object for each would be much to collect. */
export class HashedOutcomes {
  readonly labels: OutcomeLabels[] = [];
  /** By the agent's clock, not yet corrected. */
  readonly startedAtMs: number[] = [];
  readonly counts: number[] = [];
  /** The two halves of each id's hash. */
  readonly a: number[] = [];
  readonly b: number[] = [];

  get length(): number {
    return this.labels.length;
  }

  add(labels: OutcomeLabels, { at, count }: { at: number; count: number }, id: IdHash): void {
    this.labels.push(labels);
    this.startedAtMs.push(at);
    this.counts.push(count);
    this.a.push(id.a);
    this.b.push(id.b);
  }
}
