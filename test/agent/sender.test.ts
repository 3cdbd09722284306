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
