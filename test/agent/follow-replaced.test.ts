import {
  appendFileSync,
  copyFileSync,
  renameSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { FollowRig, line } from './follow-rig.ts';

let rig: FollowRig;
let path: string;

beforeEach(async () => {
  rig = await FollowRig.open();
  path = rig.path;
});

afterEach(() => rig.close());

const start = (options?: Parameters<FollowRig['start']>[0]) => rig.start(options);
const stop = (flushMs?: number) => rig.stop(flushMs);
const counted = (sum: number) => rig.counted(sum);

/** Lines that tell nothing of when they were written. */
const alike = (lines: number) => line(0).repeat(lines);

async function toldOf(part: string): Promise<void> {
  await waitFor(part, () => {
    rig.skewMs += 100;
    return rig.told.some((one) => one.includes(part));
  });
}

/** As `cp -p`, `rsync -a` and most editors do: a new file with the content and time of the old one takes its name. */
function replaceByCopy(file = path): void {
  const { atime, mtime } = statSync(file);
  copyFileSync(file, `${file}.new`);
  utimesSync(`${file}.new`, atime, mtime);
  renameSync(`${file}.new`, file);
}

describe('a followed file that was replaced by a copy of itself', () => {
  it('is gone on with where it was left', async () => {
    writeFileSync(path, line(0) + line(1));
    await start();
    await counted(11);
    replaceByCopy();
    await toldOf('replaced by a copy');
    appendFileSync(path, line(2));
    await counted(111);
  });

  it('inside a line is gone on with inside that line', async () => {
    writeFileSync(path, line(0) + line(1).slice(0, 9));
    await start();
    await counted(1);
    replaceByCopy();
    await toldOf('replaced by a copy');
    appendFileSync(path, line(1).slice(9) + line(2));
    await counted(111);
  });

  it('is gone on with where it was left after that was done while the agent was down', async () => {
    writeFileSync(path, line(0) + line(1));
    await start();
    await counted(11);
    await stop();
    replaceByCopy();
    appendFileSync(path, line(2));
    await start();
    await counted(111);
    expect(rig.told.filter((one) => one.includes('gone;'))).toEqual([]);
  });

  it('together with its predecessors is gone on with where it was left, also if all their lines are alike', async () => {
    writeFileSync(`${path}.1`, alike(10));
    utimesSync(`${path}.1`, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
    writeFileSync(path, alike(3));
    await start();
    await counted(3);
    await stop();
    replaceByCopy();
    replaceByCopy(`${path}.1`);
    appendFileSync(path, alike(1));
    await start();
    await counted(4);
  });
});

describe('a new file that begins like the followed one by chance', () => {
  it('is read from its beginning when the old one was renamed', async () => {
    writeFileSync(path, alike(3));
    await start();
    await counted(3);
    renameSync(path, `${path}.1`);
    writeFileSync(path, alike(5));
    await counted(8);
  });

  it('is read from its beginning when the old one was renamed to any name while the agent was down', async () => {
    writeFileSync(path, alike(3));
    await start();
    await counted(3);
    await stop();
    renameSync(path, join(rig.folder, 'set-aside'));
    await sleep(20);
    writeFileSync(path, alike(5));
    await start();
    await counted(8);
  });

  it('is read from its beginning when the old one was renamed and compressed while the agent was down', async () => {
    writeFileSync(path, alike(3));
    await start();
    await counted(3);
    await stop();
    const { atime, mtime } = statSync(path);
    writeFileSync(`${path}.1.gz`, gzipSync(alike(3)));
    // Some compressors keep the time only to the second.
    const second = new Date(Math.floor(mtime.getTime() / 1_000) * 1_000);
    utimesSync(`${path}.1.gz`, atime, second);
    await rm(path);
    writeFileSync(path, alike(5));
    await start();
    await counted(8);
  });

  it('is read from its beginning after a rotated one was read to its end', async () => {
    writeFileSync(path, alike(3));
    await start();
    await counted(3);
    await stop();
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, alike(1));
    writeFileSync(path, alike(5));
    await start();
    await toldOf('going on in a rotated file');
    await waitFor('the rotated file to be read', () => rig.agent.metrics.total('outcomesAccepted') >= 1);
    // It goes while the agent waits for more of it.
    await rm(`${path}.1`);
    await counted(9);
  });
});

describe('a followed file that is emptied, whose lines are all alike', () => {
  async function rotatedAndGoneOn(): Promise<void> {
    writeFileSync(path, alike(10));
    await start();
    await counted(10);
    renameSync(path, `${path}.1`);
    writeFileSync(path, '');
    await sleep(5);
    appendFileSync(path, alike(3));
    await counted(13);
  }

  it('is not gone on with in a rotated file that was read to its end before', async () => {
    await rotatedAndGoneOn();
    truncateSync(path);
    await toldOf('the file was cut');
    await sleep(500);
    appendFileSync(path, alike(1));
    await counted(14);
  });

  it('nor when it was emptied while the agent was down', async () => {
    await rotatedAndGoneOn();
    await stop();
    truncateSync(path);
    await start();
    await sleep(500);
    appendFileSync(path, alike(1));
    await counted(14);
  });

  it('is gone on with in the copy that was made of it', async () => {
    await rotatedAndGoneOn();
    await stop();
    appendFileSync(path, alike(1));
    renameSync(`${path}.1`, `${path}.2`);
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
    await start();
    await counted(14);
    appendFileSync(path, alike(1));
    await counted(15);
  });
});
