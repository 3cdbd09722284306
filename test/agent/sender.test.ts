import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../agent/clock.ts';
import { Sender } from '../../agent/sender.ts';
import type { Spool } from '../../agent/spool/spool.ts';
import { waitFor } from '../support/wait-for.ts';
import { openSpool, report, temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let spool: Spool;

beforeEach(async () => {
  folder = await temporaryFolder();
  spool = await openSpool(folder);
});

afterEach(async () => {
  await spool.close();
  await rm(folder, { recursive: true, force: true });
});

it('sends on when the acknowledgement comes in the very step after the last batch was sent', async () => {
  for (let n = 1; n <= 3; n++) {
    await report(spool, n);
    await spool.seal();
  }
  const sent: number[] = [];
  const sender = new Sender({
    spool,
    clock: systemClock,
    batchesPerSecond: 500,
    isLive: () => true,
    bufferedBytes: () => 0,
    gone: () => {},
    failed: (error) => {
      throw error;
    },
    send: (text) => {
      const { seq } = JSON.parse(text) as { seq: number };
      sent.push(seq);
      // Between the sender's last look at what it may send and the end of its turn.
      queueMicrotask(() => sender.acknowledge(seq, 1));
    },
  });
  sender.start({ epoch: 1, applied: 0, credit: 1 });
  await waitFor('three batches', () => sent.length === 3, { withinMs: 2_000 });
  expect(sent).toEqual([1, 2, 3]);
  sender.stop();
});

it('calls in flight what it sent until a welcome, an acknowledgement or a rewind tells, also while it sends it again', async () => {
  for (let n = 1; n <= 5; n++) {
    await report(spool, n);
    await spool.seal();
  }
  const told: (number | null)[] = [];
  const setInFlight = spool.setInFlight.bind(spool);
  spool.setInFlight = (seq) => {
    told.push(seq);
    setInFlight(seq);
  };
  const sent: number[] = [];
  const sender = new Sender({
    spool,
    clock: systemClock,
    batchesPerSecond: 500,
    isLive: () => true,
    bufferedBytes: () => 0,
    gone: () => {},
    failed: (error) => {
      throw error;
    },
    send: (text) => sent.push((JSON.parse(text) as { seq: number }).seq),
  });
  const sentOnce = (...seqs: number[]) => waitFor(`${seqs}`, () => sent.join() === seqs.join());
  sender.start({ epoch: 1, applied: 0, credit: 3 });
  await sentOnce(1, 2, 3);
  sender.pause(10);
  await sentOnce(1, 2, 3, 1, 2, 3);
  expect(told).toEqual([0, 1, 2, 3, 3, 3, 3]);
  // Ahead of what was sent again: of the copies sent before it says nothing.
  sender.pause(60_000);
  sender.acknowledge(2, 3);
  expect(told.at(-1)).toBe(3);
  sender.rewind(2);
  expect(told.at(-1)).toBe(1);
  sender.stop();
});
