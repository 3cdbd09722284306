import {
  appendFileSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Disk, realDisk } from '../../agent/spool/disk.ts';
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

/** Of this agent, also while it has no connection because its clock was moved far. */
async function accepted(sum: number): Promise<void> {
  await waitFor(`${sum} accepted`, () => {
    const total = rig.agent.metrics.total('outcomesAccepted');
    if (total !== sum) throw new Error(`accepted ${total}`);
    return true;
  });
}

/** The followed file is looked at again and again while it rests: longer than a rotated one has to. */
async function letRest(): Promise<void> {
  for (let poll = 0; poll < 3; poll++) {
    await sleep(300);
    rig.skewMs += 1_500;
  }
  await sleep(300);
}

/** @param write  the first lines of the new file */
function rotate(write: string): void {
  for (const age of [5, 4, 3, 2, 1]) {
    if (existsSync(`${path}.${age}`)) renameSync(`${path}.${age}`, `${path}.${age + 1}`);
  }
  renameSync(path, `${path}.1`);
  writeFileSync(path, write);
}

const toldOf = (part: string) => rig.told.filter((one) => one.includes(part));
const LATE = 'lines still come into a rotated file';
const gauge = () =>
  Number(/^roomwatch_agent_followed_unread_bytes (\d+)$/m.exec(rig.agent.metrics.render())?.[1]);

/** Files of the folder that this process has open. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(rig.folder) ? [target] : [];
    } catch {
      return [];
    }
  });
}

async function followedAndRotated(write: string): Promise<void> {
  writeFileSync(path, line(0));
  await start();
  await counted(1);
  rotate(write);
}

describe('a writer that stays with the renamed file while nobody writes to the new one', () => {
  it('loses nothing, however long it rests', async () => {
    await followedAndRotated('');
    for (const digit of [1, 2, 3]) {
      await letRest();
      appendFileSync(`${path}.1`, line(digit));
      await accepted(11_111 % 10 ** (digit + 1));
    }
    appendFileSync(path, line(4));
    await counted(11_111);
    expect(toldOf(LATE)).toHaveLength(1);
  });

  it('loses nothing while the agent is down and when it is back', async () => {
    await followedAndRotated('');
    await letRest();
    await stop();
    appendFileSync(`${path}.1`, line(1));
    await start();
    await counted(11);
    await letRest();
    appendFileSync(`${path}.1`, line(2));
    appendFileSync(path, line(3));
    await counted(1_111);
  });

  it('loses nothing when it is rotated again meanwhile', async () => {
    await followedAndRotated('');
    await letRest();
    rotate('');
    await letRest();
    appendFileSync(`${path}.2`, line(1));
    await accepted(11);
    // The one between has lines, the newest has none.
    appendFileSync(`${path}.1`, line(2));
    await accepted(111);
    appendFileSync(`${path}.2`, line(3));
    await accepted(1_111);
    appendFileSync(path, line(4));
    await counted(11_111);
  });

  it('loses nothing when the renamed file is deleted under it', async () => {
    writeFileSync(path, line(0));
    const writer = openSync(path, 'a');
    try {
      await start();
      await counted(1);
      rotate('');
      rmSync(`${path}.1`);
      await letRest();
      rig.skewMs += 6 * 60_000;
      await sleep(300);
      writeSync(writer, line(1));
      await accepted(11);
      appendFileSync(path, line(2));
      await counted(111);
      expect(gauge()).toBe(0);
    } finally {
      closeSync(writer);
    }
  });

  it('may finish the half line that it had begun', async () => {
    writeFileSync(path, line(0) + line(1).slice(0, 9));
    await start();
    await counted(1);
    rotate('');
    await letRest();
    appendFileSync(`${path}.1`, line(1).slice(9));
    await accepted(11);
    appendFileSync(path, line(2));
    await counted(111);
    expect(rig.agent.metrics.total('outcomesRejected')).toBe(0);
  });
});

describe('a writer that stays with the renamed file while others write to the new one', () => {
  it('loses nothing, and is told of once', async () => {
    await followedAndRotated(line(1));
    await counted(11);
    for (const digit of [2, 3, 4]) {
      await letRest();
      appendFileSync(`${path}.1`, line(digit));
      await accepted(11_111 % 10 ** (digit + 1));
    }
    appendFileSync(path, line(5));
    await counted(111_111);
    expect(toldOf(LATE)).toHaveLength(1);
    // Each process counts what it accepted once, and the position is that of the newer file.
    await stop();
    appendFileSync(path, line(6));
    await start();
    await counted(1_111_111);
  });

  it('is read in the two newest of several rotations', async () => {
    await followedAndRotated(line(1));
    await counted(11);
    rotate(line(2));
    await counted(111);
    appendFileSync(`${path}.2`, line(3));
    appendFileSync(`${path}.1`, line(4));
    appendFileSync(path, line(5));
    await counted(111_111);
    expect(toldOf(LATE)).toHaveLength(2);
  });

  it('holds the new file up for a minute at most, if it never rests', async () => {
    await followedAndRotated(line(1));
    const total = () => rig.agent.metrics.total('outcomesAccepted');
    // So that it never rests for two seconds.
    for (let written = 1; written <= 45 && total() % 100 !== 11; written++) {
      const before = total();
      appendFileSync(`${path}.1`, line(2));
      await waitFor('the line', () => total() > before);
      rig.skewMs += 1_500;
    }
    expect(total() % 100).toBe(11);
    appendFileSync(`${path}.1`, line(3));
    await waitFor('the last line', () => total() % 10_000 >= 1_000);
  });

  it('counts once when the agent is stopped before the new file has a whole line', async () => {
    await followedAndRotated(line(1).slice(0, 9));
    await letRest();
    appendFileSync(`${path}.1`, line(2));
    await accepted(101);
    await stop();
    await start();
    await letRest();
    appendFileSync(`${path}.1`, line(3));
    appendFileSync(path, line(1).slice(9));
    await counted(1_111);
  });

  it('counts once when an empty file was rotated between them', async () => {
    await followedAndRotated('');
    rotate(line(1).slice(0, 9));
    await letRest();
    await letRest();
    // The first is left, so is the empty one, and the newest has no line yet.
    appendFileSync(`${path}.1`, line(2));
    appendFileSync(`${path}.2`, line(3));
    await accepted(1_101);
    await stop();
    await start();
    await letRest();
    appendFileSync(path, line(1).slice(9));
    await counted(1_111);
  });

  it('goes on in a line that it had begun, which counts once', async () => {
    writeFileSync(path, line(0) + line(1).slice(0, 9));
    await start();
    await counted(1);
    rotate(line(2));
    await counted(101);
    appendFileSync(`${path}.1`, line(1).slice(9) + line(3));
    await counted(1_111);
    expect(rig.agent.metrics.total('outcomesRejected')).toBe(0);
  });

  it('may end a line that was taken without its line feed, which counts once', async () => {
    writeFileSync(path, line(0) + line(1).trimEnd());
    await start();
    await counted(1);
    rotate(line(2));
    await counted(111);
    appendFileSync(`${path}.1`, `\n${line(3)}`);
    await counted(1_111);
    expect(rig.agent.metrics.total('outcomesRejected')).toBe(0);
  });

  it('is waited for five minutes after its last line, and its half line is then read as far as it goes', async () => {
    await followedAndRotated(line(1));
    await counted(11);
    appendFileSync(`${path}.1`, line(2));
    await accepted(111);
    rig.skewMs += 4 * 60_000;
    await sleep(300);
    expect(openFiles()).toHaveLength(2);
    appendFileSync(`${path}.1`, line(3) + line(4).slice(0, 9));
    await accepted(1_111);
    rig.skewMs += 4 * 60_000;
    await sleep(300);
    expect(openFiles()).toHaveLength(2);
    expect(rig.agent.metrics.total('outcomesRejected')).toBe(0);
    rig.skewMs += 2 * 60_000;
    await waitFor('the file to be left for good', () => openFiles().length === 1);
    expect(rig.agent.metrics.total('outcomesRejected')).toBe(1);
    expect(toldOf('ends inside a line')).toHaveLength(1);
  });

  it('leaves no more than four renamed files open, and none when the agent stops', async () => {
    await followedAndRotated(line(0));
    await counted(2);
    for (let rotation = 3; rotation <= 7; rotation++) {
      rotate(line(0));
      await letRest();
      await accepted(rotation);
    }
    await waitFor('the oldest to be left', () => openFiles().length === 5);
    await stop();
    expect(openFiles()).toEqual([]);
  });

  it('is read to the end of what it wrote, and of its last line, when the agent stops', async () => {
    await followedAndRotated(line(1));
    await counted(11);
    const { spool } = rig.agent;
    appendFileSync(`${path}.1`, line(2) + line(3).trimEnd());
    await stop();
    expect(spool.refusal()).toBe('closed');
    await start();
    await counted(1_111);
  });

  it('is not read where it stood when the new file is emptied', async () => {
    await followedAndRotated(line(1));
    await counted(11);
    appendFileSync(`${path}.1`, line(2));
    await counted(111);
    truncateSync(path);
    await waitFor('the cut to be seen', () => toldOf('the file was cut').length > 0);
    await letRest();
    appendFileSync(`${path}.1`, line(3));
    appendFileSync(path, line(4));
    await counted(11_111);
  });

  it('is not read any more when the renamed file is cut', async () => {
    await followedAndRotated(line(1));
    await counted(11);
    truncateSync(`${path}.1`);
    await waitFor('the file to be left', () => openFiles().length === 1);
    appendFileSync(path, line(2));
    await counted(111);
  });

  it('is read on in a file that was compressed and deleted', async () => {
    writeFileSync(path, line(0));
    const writer = openSync(path, 'a');
    try {
      await start();
      await counted(1);
      rotate(line(1));
      await counted(11);
      writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(`${path}.1`)));
      rmSync(`${path}.1`);
      writeSync(writer, line(2));
      await counted(111);
    } finally {
      closeSync(writer);
    }
  });
});

describe('a file that is rotated again and again, of whose two writers one opens the new file a rotation late', () => {
  it('counts every line once, also when the disk refuses some of them', { timeout: 60_000 }, async () => {
    const ROTATIONS = 10;
    let writes = 0;
    const disk: Disk = {
      ...realDisk,
      create: async (name) => {
        const file = await realDisk.create(name);
        // A refused write is tried once more in a new journal.
        const isRefused = () => name.includes('intake') && ++writes % 14 > 10;
        const write = (bytes: Buffer) =>
          isRefused() ? Promise.reject(new Error('no space left')) : file.write(bytes);
        return { ...file, write };
      },
    };
    writeFileSync(path, '');
    let late = openSync(path, 'a');
    let written = 0;
    try {
      await start({ disk });
      for (let i = 0; i < ROTATIONS; i++) {
        const next = openSync(path, 'a');
        // Nobody writes to some of the files in time.
        for (let part = 0; part < 2 && i % 4 > 0; part++, written++) appendFileSync(path, line(0));
        rig.skewMs += 3_000;
        await sleep(300);
        rig.skewMs += 3_000;
        await sleep(300);
        // In two pieces, between which the agent may read.
        writeSync(late, line(0).slice(0, 9));
        await sleep(100);
        writeSync(late, line(0).slice(9) + line(0));
        written += 2;
        await sleep(200);
        closeSync(late);
        late = next;
        renameSync(path, `${path}-${20_260_000 + i}`);
        writeFileSync(path, '');
      }
      await waitFor('every line', () => {
        rig.skewMs += 100;
        return rig.agent.metrics.total('outcomesAccepted') >= written;
      });
      await letRest();
      await accepted(written);
      expect(toldOf('cannot be followed').length).toBeGreaterThan(0);
      expect(toldOf(LATE).length).toBeGreaterThan(0);
      expect(rig.agent.metrics.total('outcomesRejected')).toBe(0);
    } finally {
      closeSync(late);
    }
  });
});

describe('the bytes of followed files that are not read yet', () => {
  it('include those of the renamed ones that are still written to', async () => {
    await followedAndRotated(line(1));
    await counted(11);
    const { spool } = rig.agent;
    spool.refusal = () => 'disk-full';
    appendFileSync(`${path}.1`, line(2));
    await waitFor('the lag', () => gauge() === line(2).length);
    Reflect.deleteProperty(spool, 'refusal');
    await counted(111);
    await waitFor('all to be read', () => gauge() === 0);
  });
});

describe('a disk that refuses what a late writer wrote', () => {
  let refusals = 0;
  /** Refuses the next writes to the intake journal, which tries each of them in a new file as well. */
  const disk: Disk = {
    ...realDisk,
    create: async (name) => {
      const file = await realDisk.create(name);
      return {
        ...file,
        write: (bytes) => {
          if (refusals > 0 && name.includes('intake')) {
            refusals -= 1;
            return Promise.reject(new Error('no space left'));
          }
          return file.write(bytes);
        },
      };
    },
  };

  beforeEach(() => {
    refusals = 0;
  });

  it('gets it again, and it counts once', async () => {
    writeFileSync(path, line(0));
    await start({ disk });
    await counted(1);
    rotate(line(1));
    await counted(11);
    refusals = 4;
    appendFileSync(`${path}.1`, line(2) + line(3).slice(0, 9));
    await waitFor('the refusal', () => toldOf('cannot be followed').length > 0);
    await accepted(111);
    appendFileSync(`${path}.1`, line(3).slice(9));
    await counted(1_111);
    expect(rig.agent.metrics.total('outcomesRejected')).toBe(0);
  });

  it('gets no more of it than it has not taken, when it took a part', async () => {
    // Many labels, so that what is read at once falls into several groups.
    const LINES = 3_000;
    const text = Array.from({ length: LINES }, (_, i) => {
      return `${JSON.stringify({ result: 'ok', region: `region-${i}-${'x'.repeat(20)}` })}\n`;
    }).join('');
    writeFileSync(path, line(0));
    await start({ disk });
    await counted(1);
    rotate(line(1));
    await counted(11);
    const { spool } = rig.agent;
    // After the first group.
    let groups = 0;
    const commit = spool.commit.bind(spool);
    let last: Promise<void> | undefined;
    spool.commit = () => {
      const durable = commit();
      if (durable !== last) {
        last = durable;
        groups += 1;
        if (groups === 1)
          void durable.then(() => {
            refusals = Number.POSITIVE_INFINITY;
          });
      }
      return durable;
    };
    appendFileSync(`${path}.1`, text);
    await waitFor('the refusal', () => toldOf('cannot be followed').length > 0);
    const taken = rig.agent.metrics.total('outcomesAccepted') - 11;
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(LINES);
    refusals = 0;
    await counted(11 + LINES);
  });

  it('gets it again from a file that is deleted, when the new file has no line yet, and it counts once', async () => {
    writeFileSync(path, line(0));
    const writer = openSync(path, 'a');
    try {
      await start({ disk });
      await counted(1);
      rotate(line(1).slice(0, 9));
      await letRest();
      rmSync(`${path}.1`);
      refusals = 4;
      writeSync(writer, line(2));
      await waitFor('the refusal', () => toldOf('cannot be followed').length > 0);
      await accepted(101);
      writeSync(writer, line(3));
      await accepted(1_101);
      appendFileSync(path, line(1).slice(9));
      await counted(1_111);
    } finally {
      closeSync(writer);
    }
  });
});
