import type { OpenStore } from './deltas.ts';
import { describeFactStore } from './facts.ts';
import { describeJournal } from './journal.ts';
import { describeLedger } from './ledger.ts';
import { describeFactModel } from './model.ts';
import { describeOrigins } from './origins.ts';

/** Everything that a Store promises, whatever keeps its books. */
export function describeStore(name: string, open: OpenStore): void {
  describeFactStore(name, open);
  describeFactModel(name, open);
  describeOrigins(name, open);
  describeJournal(name, open);
  describeLedger(name, open);
}
