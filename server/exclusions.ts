import { z } from 'zod';
import { type Exclusion, exclusionRecord, parseExclusion } from '../sla/exclusion.ts';
import type { Journal } from './store/store.ts';

/**
 * Exclusions that people entered and withdrew, as events in the journal. Nothing there is ever changed; what is
 * in force, and who decided it when, follows from replaying the events.
 */
export const EXCLUSIONS_TOPIC = 'exclusions';

/** Events of the topic; a month cannot hold more minutes, and replaying stays a few milliseconds. */
const MAX_EXCLUSION_EVENTS = 10_000;

/** Who decided and when: `by` is the token's name. */
export interface Decision {
  readonly by: string;
  readonly atMs: number;
}

export interface ExclusionEntry {
  readonly id: string;
  readonly exclusion: Exclusion;
  /** null: from an exclusions file. */
  readonly entered: Decision | null;
  readonly withdrawn: (Decision & { readonly reason: string }) | null;
}

const decision = { id: z.string().min(1), by: z.string(), atMs: z.number() };
const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('entered'), ...decision, exclusion: z.unknown() }),
  z.object({ event: z.literal('withdrawn'), ...decision, reason: z.string() }),
]);
export type ExclusionEvent = z.infer<typeof eventSchema>;

/**
 * Replays the journal. Pure. An event that cannot be read (of another version) is passed over; of two
 * withdrawals the first one holds.
 * @returns all that was ever entered, in order
 */
export function entriesFrom(events: readonly unknown[]): ExclusionEntry[] {
  const entries = new Map<string, ExclusionEntry>();
  for (const event of events) {
    const read = eventSchema.safeParse(event);
    if (!read.success) continue;
    const { id, by, atMs } = read.data;
    const known = entries.get(id);
    if (read.data.event === 'entered') {
      // Judged without terms: the notice was checked when it was entered, by the terms of that day.
      const parsed = parseExclusion(read.data.exclusion);
      if (!known && parsed.ok) {
        entries.set(id, { id, exclusion: parsed.exclusion, entered: { by, atMs }, withdrawn: null });
      }
    } else if (known && known.withdrawn === null) {
      entries.set(id, { ...known, withdrawn: { by, atMs, reason: read.data.reason } });
    }
  }
  return [...entries.values()];
}

export function exclusionsInForce(entries: readonly ExclusionEntry[]): Exclusion[] {
  return entries.filter((entry) => entry.withdrawn === null).map((entry) => entry.exclusion);
}

/** Of one exclusion: more of them say nothing new. */
const MAX_OVERLAPS_SHOWN = 100;

/**
 * The exclusions in force that share time with another one of their service. A minute is taken out once however
 * many cover it, so nothing is wrong with that; but withdrawing one of them changes less than it seems to.
 * @returns id -> at most `MAX_OVERLAPS_SHOWN` ids it overlaps with; none for one that is withdrawn
 */
export function overlapsOf(entries: readonly ExclusionEntry[]): ReadonlyMap<string, readonly string[]> {
  const inForce = entries.filter((entry) => entry.withdrawn === null);
  const byStart = inForce.toSorted((a, b) => a.exclusion.fromMs - b.exclusion.fromMs);
  const overlaps = new Map<string, string[]>(entries.map(({ id }) => [id, []]));
  const show = (id: string, other: string) => {
    const shown = overlaps.get(id);
    if (shown && shown.length < MAX_OVERLAPS_SHOWN) shown.push(other);
  };
  const open = new Map<string, ExclusionEntry[]>();
  for (const entry of byStart) {
    const { service, fromMs } = entry.exclusion;
    const covering = (open.get(service) ?? []).filter(({ exclusion }) => exclusion.toMs > fromMs);
    for (const other of covering) {
      show(entry.id, other.id);
      show(other.id, entry.id);
    }
    open.set(service, [...covering, entry]);
  }
  return overlaps;
}

export type Withdrawal = 'withdrawn' | 'already' | 'unknown' | 'from-file';

/** The exclusions of the files and of the journal together, as last read. */
export class ExclusionBook {
  private readonly journal: Journal;
  private readonly onChanged: (services: readonly string[]) => void;
  private ofFiles: readonly ExclusionEntry[] = [];
  private ofJournal: readonly ExclusionEntry[] = [];
  /** -1: not read yet. */
  private revision = -1;
  private byService = new Map<string, readonly Exclusion[]>();

  /** @param onChanged  the services whose readings may have changed */
  constructor(journal: Journal, onChanged: (services: readonly string[]) => void) {
    this.journal = journal;
    this.onChanged = onChanged;
  }

  get isRead(): boolean {
    return this.revision >= 0;
  }

  entries(): readonly ExclusionEntry[] {
    return [...this.ofFiles, ...this.ofJournal];
  }

  /** The same array until something changed, so that a caller may cache by it. */
  inForce(service: string): readonly Exclusion[] {
    return this.byService.get(service) ?? NONE;
  }

  /** Replaces what the configuration's files say. */
  useFiles(exclusions: readonly Exclusion[]): void {
    const entries = exclusions.map((exclusion, i) => ({
      id: `file-${i + 1}`,
      exclusion,
      entered: null,
      withdrawn: null,
    }));
    this.replace(() => {
      this.ofFiles = entries;
    });
  }

  /** Reads what other daemons, or this one, have added to the journal. */
  async refresh(): Promise<void> {
    const { revision, entries } = await this.journal.read(EXCLUSIONS_TOPIC);
    if (revision === this.revision) return;
    this.replace(() => {
      this.ofJournal = entriesFrom(entries);
      this.revision = revision;
    });
  }

  /** @returns the entry; null when the journal is full */
  async enter(exclusion: Exclusion, id: string, { by, atMs }: Decision): Promise<ExclusionEntry | null> {
    await this.refresh();
    if (this.revision >= MAX_EXCLUSION_EVENTS) return null;
    await this.journal.append(EXCLUSIONS_TOPIC, {
      event: 'entered',
      id,
      by,
      atMs,
      exclusion: exclusionRecord(exclusion),
    } satisfies ExclusionEvent);
    await this.refresh();
    return { id, exclusion, entered: { by, atMs }, withdrawn: null };
  }

  async withdraw(id: string, reason: string, { by, atMs }: Decision): Promise<Withdrawal> {
    await this.refresh();
    if (this.ofFiles.some((entry) => entry.id === id)) return 'from-file';
    const known = this.ofJournal.find((entry) => entry.id === id);
    if (!known) return 'unknown';
    if (known.withdrawn) return 'already';
    await this.journal.append(EXCLUSIONS_TOPIC, {
      event: 'withdrawn',
      id,
      by,
      atMs,
      reason,
    } satisfies ExclusionEvent);
    await this.refresh();
    return 'withdrawn';
  }

  private replace(change: () => void): void {
    const before = this.byService;
    change();
    const after = new Map<string, Exclusion[]>();
    for (const exclusion of exclusionsInForce(this.entries())) {
      const list = after.get(exclusion.service) ?? [];
      list.push(exclusion);
      after.set(exclusion.service, list);
    }
    this.byService = after;
    this.onChanged([...new Set([...before.keys(), ...after.keys()])]);
  }
}

const NONE: readonly Exclusion[] = [];
