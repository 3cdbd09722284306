import { randomUUID } from 'node:crypto';
import { openLmdbStore } from '../../server/store/lmdb/lmdb-store.ts';
import { APPLY_BOUNDS, type FactStore } from '../../server/store/store.ts';
import { CAUSES, type Cause } from '../../sla/cause.ts';
import { CALLBACK_MEASURES, type CallbackMeasure, COUNTER_MAX } from '../../sla/facts.ts';

/** What happened to a service in a stretch of minutes of the epoch, the end excluded. */
export interface Past {
  readonly service: string;
  readonly fromMinute: number;
  readonly toMinute: number;
  /** null: no agent was watching. */
  minute(minute: number): MinutePast | null;
}

export interface MinutePast {
  readonly attempts: number;
  readonly failures?: Partial<Record<Cause, number>>;
  /** What the vendor's callbacks told. */
  readonly callbacks?: Partial<Readonly<Record<CallbackMeasure, number>>>;
}

/**
 * Writes a past into the embedded store of a daemon that is not running yet, through the store itself, as one
 * producer's batches would have.
 */
export async function writeBooks(directory: string, pasts: readonly Past[]): Promise<void> {
  const store = await openLmdbStore({ directory });
  try {
    for (const past of pasts) await writePast(store.facts, past);
  } finally {
    await store.close();
  }
}

async function writePast(facts: FactStore, { service, fromMinute, toMinute, minute }: Past): Promise<void> {
  const producerId = randomUUID();
  const nowMs = Date.now();
  const { epoch } = await facts.openEpoch({ producerId, services: [service], nowMs });
  let seq = 0;
  for (let from = fromMinute; from < toMinute; from += APPLY_BOUNDS.alive) {
    const tallies = new Map<number, readonly number[]>();
    const alive = new Set<number>();
    const callbacks = new Map<number, readonly number[]>();
    for (let at = from; at < Math.min(toMinute, from + APPLY_BOUNDS.alive); at += 1) {
      const happened = minute(at);
      if (happened === null) continue;
      alive.add(at);
      const { attempts, failures = {} } = happened;
      if (attempts > COUNTER_MAX) throw new Error(`${attempts} attempts do not fit a minute`);
      if (attempts > 0) tallies.set(at, [attempts, ...CAUSES.map((cause) => failures[cause] ?? 0)]);
      const told = happened.callbacks;
      if (told)
        callbacks.set(
          at,
          CALLBACK_MEASURES.map((measure) => told[measure] ?? 0),
        );
    }
    const cursors = [{ producerId, epoch, expectedSeq: seq, seq: seq + 1, digest: digestOf(seq + 1) }];
    const result = await facts.apply(
      {
        service,
        cursors,
        tallies,
        alive,
        late: new Map(),
        origins: [],
        ...(callbacks.size > 0 && { callbacks }),
      },
      nowMs,
    );
    if (result.status !== 'applied') throw new Error(`the store answers ${result.status}`);
    seq += 1;
  }
}

function digestOf(seq: number): string {
  return seq.toString(16).padStart(16, '0');
}
