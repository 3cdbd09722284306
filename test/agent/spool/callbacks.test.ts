import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { frameText, readBatch } from '../../../agent/spool/batch-record.ts';
import { HashedOutcomes } from '../../../agent/spool/hashed-outcomes.ts';
import type { Spool } from '../../../agent/spool/spool.ts';
import { batchSchema } from '../../../protocol/frame.ts';
import { CALLBACK_MEASURES, type CallbackMeasure } from '../../../sla/facts.ts';
import { IdHash } from '../../../sla/lines/id-hash.ts';
import {
  deliverable,
  entriesOf,
  HandClock,
  OK,
  openSpool,
  Snapshot,
  temporaryFolder,
} from './spool-folder.ts';

let folder: string;
let clock: HandClock;
let spool: Spool;

beforeEach(async () => {
  folder = await temporaryFolder();
  clock = new HandClock();
  spool = await openSpool(folder, { nowMs: clock.nowMs, services: [] });
});

afterEach(async () => {
  await spool.close().catch(() => {});
  await rm(folder, { recursive: true, force: true });
});

async function reopen(services: readonly string[] = []): Promise<void> {
  await spool.close();
  spool = await openSpool(folder, { nowMs: clock.nowMs, services });
}

/** What a kill -9 leaves: the files of now, without what closing would add. */
async function crashAndReopen(): Promise<void> {
  const snapshot = Snapshot.take(folder);
  await spool.close();
  snapshot.restore();
  spool = await openSpool(folder, { nowMs: clock.nowMs, services: [] });
}

async function batches() {
  return (await entriesOf(spool)).filter((entry) => entry.kind === 'batch').map(readBatch);
}

async function tell(id: string, measure: CallbackMeasure = 'entered', atMs = clock.ms) {
  const acceptance = spool.acceptCallback({ service: 'acme', measure, atMs, id });
  await spool.commit();
  return acceptance;
}

const EMPTY_LABELS = { region: '', platform: '', cause: '', code: '' };

describe('callbacks in the spool', () => {
  it('are folded into cells of their own, in frames that the protocol accepts', async () => {
    for (const id of ['a', 'b', 'c']) await tell(id);
    await tell('d', 'left');
    await spool.seal();
    const minute = clock.ms / 60_000;
    const [entry] = await entriesOf(spool);
    expect(readBatch(entry!).cells).toEqual([
      { service: 'acme', minute, ...EMPTY_LABELS, result: 'entered', n: 3 },
      { service: 'acme', minute, ...EMPTY_LABELS, result: 'left', n: 1 },
    ]);
    expect(batchSchema.safeParse(JSON.parse(frameText(entry!, 1))).success).toBe(true);
    expect(entry?.outcomes).toBe(4);
  });

  it('keep the minute of the vendor, whatever is added to the clock of the agent', async () => {
    spool.clockOffsetMs = -3_600_000;
    await tell('a', 'entered', clock.ms + 59_999);
    spool.accept({ ...OK, n: 1 }, clock.ms);
    await spool.commit();
    await spool.seal();
    const cells = (await batches()).flatMap((batch) => batch.cells);
    const minute = clock.ms / 60_000;
    expect(cells.map((cell) => [cell.result, cell.minute])).toEqual([
      ['ok', minute - 60],
      ['entered', minute],
    ]);
  });

  it('count once, before they are sealed and after, across a crash and across a restart', async () => {
    expect(await tell('a')).toBe('accepted');
    expect(await tell('a')).toBe('repeated');
    await crashAndReopen();
    expect(await tell('a')).toBe('repeated');
    await spool.seal();
    expect(await tell('a')).toBe('repeated');
    await reopen();
    expect(await tell('a')).toBe('repeated');
    expect(await tell('b')).toBe('accepted');
    await spool.seal();
    expect(await deliverable(spool)).toEqual({ counted: 2, lost: 0 });
  });

  it('are kept through a crash as what they are', async () => {
    for (const measure of CALLBACK_MEASURES) await tell(measure, measure);
    await crashAndReopen();
    const cells = (await batches()).flatMap((batch) => batch.cells);
    expect(cells.map(({ result, n }) => [result, n])).toEqual(
      CALLBACK_MEASURES.map((measure) => [measure, 1]),
    );
  });

  it('do not make the agent say that it watches the service, whether sealed, resealed or restarted', async () => {
    await tell('a');
    await spool.tick();
    clock.ms += 60_000;
    await spool.tick();
    await tell('b');
    await crashAndReopen();
    clock.ms += 60_000;
    await spool.tick();
    await tell('c');
    await spool.tick();
    expect((await batches()).map((batch) => batch.alive)).toEqual([[], [], []]);
    // The daemon takes no cell of a service that hello did not name.
    expect(spool.services).toEqual(['acme']);
  });

  it('leave the service watched where it was, and an outcome makes it so for good', async () => {
    await tell('a');
    spool.accept({ ...OK, n: 1 }, clock.ms);
    await spool.commit();
    await spool.tick();
    await crashAndReopen();
    clock.ms += 60_000;
    await spool.tick();
    expect((await batches()).map((batch) => batch.alive)).toEqual([['acme'], ['acme']]);
    await tell('b');
    clock.ms += 60_000;
    await spool.tick();
    expect((await batches()).at(-1)?.alive).toEqual(['acme']);
  });

  it('leave a service watched of which outcomes come in columns', async () => {
    await tell('a');
    const outcomes = new HashedOutcomes();
    const id = new IdHash();
    id.ofText('b');
    outcomes.add(OK, { at: clock.ms, count: 1 }, id);
    const accepted: number[] = [];
    const accept = () => spool.acceptHashed(outcomes, { from: 0, to: 1 }, (row) => void accepted.push(row));
    expect(accept()).toBe(0);
    await spool.commit();
    await spool.tick();
    expect((await batches()).map((batch) => batch.alive)).toEqual([['acme']]);
    expect(accept()).toBe(1);
    expect(accepted).toEqual([0]);
  });

  it('of a service that the configuration names change nothing: it is watched', async () => {
    await tell('a');
    await spool.tick();
    await reopen(['acme']);
    clock.ms += 60_000;
    await spool.tick();
    expect((await batches()).at(-1)?.alive).toEqual(['acme']);
  });

  it('go on under a new identity, with what is known of the service', async () => {
    await tell('a');
    await spool.seal();
    await spool.reidentify(0);
    expect((await batches()).flatMap((batch) => batch.cells.map((cell) => cell.result))).toEqual(['entered']);
    await reopen();
    clock.ms += 60_000;
    await spool.tick();
    expect((await batches()).flatMap((batch) => batch.alive)).toEqual([]);
    expect(await tell('a')).toBe('repeated');
  });
});
