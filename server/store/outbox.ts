import assert from 'node:assert/strict';
import type { OutboxEntry } from '../../alerts/ledger.ts';
import { StoreFault } from './errors.ts';

export const LEDGER_BOUNDS = {
  /** Messages waiting in one service's outbox: years of alerts for ten receivers that are all down. */
  outboxEntries: 4_096,
  /** Ids remembered after they were settled, so that the same decision made again is not sent again. */
  settledIds: 1_000,
  entriesPerCommit: 1_000,
  idCharacters: 512,
  topicCharacters: 256,
} as const;

export function assertEntries(service: string, entries: readonly OutboxEntry[]): void {
  assert(entries.length <= LEDGER_BOUNDS.entriesPerCommit, 'a commit queues a bounded number of entries');
  for (const entry of entries) {
    assert(entry.service === service, `an entry of ${entry.service} is not queued under ${service}`);
    assert(
      entry.id.length >= 1 && entry.id.length <= LEDGER_BOUNDS.idCharacters,
      'an entry id within its bound',
    );
    assert(Number.isFinite(entry.createdAtMs), 'an entry has a creation time');
  }
}

export function outboxFull(service: string): StoreFault {
  return new StoreFault(
    'STORE_OUTBOX_FULL',
    `the outbox of ${service} holds ${LEDGER_BOUNDS.outboxEntries} undelivered messages; repair or remove the receivers that do not take them`,
  );
}

/** A topic of the journal is part of a key. */
export function assertTopic(topic: string): void {
  const { length } = topic;
  assert(length >= 1 && length <= LEDGER_BOUNDS.topicCharacters, 'a topic within its bound');
  assert(!topic.includes('\0'), 'a topic without zero characters');
}
