import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { copyFile, readFile, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { startProgram } from '../support/program.ts';
import { seededRandom } from '../support/random.ts';
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

/** GNU gzip, as logrotate calls it: the new file gets the old one's time. */
function gzip(file: string): void {
  const { error, status, stderr } = spawnSync('gzip', [file], { encoding: 'utf8' });
  if (error) throw new Error('gzip is missing; install it with: apt-get install gzip');
  if (status !== 0) throw new Error(stderr);
}

/**
 * What logrotate does with `rotate 3` and `compress`, step by step; `delaycompress` leaves the newest one as it is.
 * @param write  the first lines of the new file
 */
function rotate(write: string, { delaysCompression = false } = {}): void {
  if (existsSync(`${path}.3.gz`)) rmSync(`${path}.3.gz`);
  for (const age of [2, 1]) {
    if (existsSync(`${path}.${age}.gz`)) renameSync(`${path}.${age}.gz`, `${path}.${age + 1}.gz`);
  }
  if (existsSync(`${path}.1`)) {
    gzip(`${path}.1`);
    renameSync(`${path}.1.gz`, `${path}.2.gz`);
  }
  renameSync(path, `${path}.1`);
  writeFileSync(path, write);
  if (!delaysCompression) gzip(`${path}.1`);
}

const skipped = () => rig.agent.metrics.total('followedFilesSkipped');

describe('a followed file that was rotated and compressed while the agent was down', () => {
  it('is gone on with where it was left, in the compressed file and then in the new one', async () => {
    await writeFile(path, line(0));
    await start();
    await counted(1);
    await stop();
    appendFileSync(path, line(1));
    rotate(line(2));
    await start();
    await counted(111);
    appendFileSync(path, line(3));
    await counted(1_111);
    expect(skipped()).toBe(0);
  });

  it.each([
    { delaysCompression: false, files: ['.1.gz', '.2.gz', '.3.gz'] },
    { delaysCompression: true, files: ['.1', '.2.gz', '.3.gz'] },
  ])(
    'three times over is read from the oldest to the newest ($files)',
    async ({ delaysCompression, files }) => {
      await writeFile(path, line(0));
      await start();
      await counted(1);
      await stop();
      appendFileSync(path, line(1));
      for (const digit of [2, 3, 4]) rotate(line(digit), { delaysCompression });
      for (const file of files) expect(existsSync(path + file), file).toBe(true);
      await start();
      await counted(11_111);
      // Nothing is read again at the next start, in whatever file it is.
      await stop();
      rotate('', { delaysCompression });
      await start();
      appendFileSync(path, line(5));
      await counted(111_111);
    },
  );

  it('with dates in the names is read in their order, also when all have the same time', async () => {
    await writeFile(path, line(0));
    await start();
    await counted(1);
    await stop();
    appendFileSync(path, line(1));
    for (const [digit, date] of [
      [2, '20261121'],
      [3, '20261122'],
      [4, '20261123'],
    ] as const) {
      renameSync(path, `${path}-${date}`);
      gzip(`${path}-${date}`);
      writeFileSync(path, line(digit));
    }
    const at = new Date(Date.now() + 60_000);
    for (const date of ['20261121', '20261122', '20261123']) await utimes(`${path}-${date}.gz`, at, at);
    await start();
    await counted(11_111);
  });

  it('with the number before its extension is found too, and another program’s log is left alone', async () => {
    await writeFile(path, line(0));
    await start();
    await counted(1);
    await stop();
    appendFileSync(path, line(1));
    renameSync(path, join(rig.folder, 'entries.1.log'));
    gzip(join(rig.folder, 'entries.1.log'));
    writeFileSync(join(rig.folder, 'entries-2.log'), line(5));
    writeFileSync(path, line(2));
    await start();
    await counted(111);
  });

  it('is told from others that begin alike by when they were written', async () => {
    // Five files, each of two equal lines; the first was rotated away before, the second is being read.
    await writeFile(path, line(0) + line(0));
    utimesSync(path, new Date(Date.now() - 60_000), new Date(Date.now() - 60_000));
    rotate(line(0));
    await start();
    await counted(1);
    await stop();
    appendFileSync(path, line(0));
    for (let i = 0; i < 2; i++) {
      await sleep(20);
      rotate(line(0) + line(0));
    }
    await start();
    await counted(6);
  });

  it('is known by all that was read, where the files begin alike and their times tell nothing', async () => {
    const alike = line(0).repeat(30);
    await writeFile(path, alike + line(2));
    await start();
    await counted(130);
    await stop();
    appendFileSync(path, line(3));
    rotate(alike + line(4));
    writeFileSync(`${path}.2`, alike + line(5));
    gzip(`${path}.2`);
    const at = new Date(Date.now() + 60_000);
    for (const age of [1, 2]) await utimes(`${path}.${age}.gz`, at, at);
    await start();
    await counted(130 + 1_000 + 30 + 10_000);
  });

  it('is not taken for another that got its inode', async () => {
    await writeFile(path, line(0) + line(1));
    await start();
    await counted(11);
    await stop();
    appendFileSync(path, line(2));
    await copyFile(path, `${path}.1`);
    gzip(`${path}.1`);
    // The same inode, as after deleting and creating: other lines, and longer than what was read.
    await writeFile(path, line(3) + line(4) + line(5));
    await start();
    await counted(111_111);
  });
});

describe('a followed file that is rotated and compressed again and again while it is read', () => {
  it('counts every line once', async () => {
    const ROTATIONS = 40;
    const LINES = 50;
    await writeFile(path, '');
    await start({ follow: [path, path] });
    const written = () => line(0).repeat(LINES);
    const dated = (age: number) => `${path}-${20_260_000 + age}`;
    for (let i = 0; i < ROTATIONS; i++) {
      for (let part = 0; part < 3; part++) {
        appendFileSync(path, written());
        // The agent reads on, at times for longer than a file has to rest.
        if (i % 3 > 0) rig.skewMs += 1_000;
        await sleep(5);
      }
      renameSync(path, dated(i));
      writeFileSync(path, written());
      if (i > 0) gzip(dated(i - 1));
    }
    await counted(ROTATIONS * 4 * LINES);
    appendFileSync(path, line(0));
    await counted(ROTATIONS * 4 * LINES + 1);
    expect(skipped()).toBe(0);
  });
});

describe('a followed file that is copied and cut', () => {
  it('loses nothing of what the agent had not read yet', async () => {
    await writeFile(path, line(0));
    await start();
    await counted(1);
    await stop();
    appendFileSync(path, line(1));
    await copyFile(path, `${path}.1`);
    await truncate(path, 0);
    gzip(`${path}.1`);
    appendFileSync(path, line(2));
    await start();
    await counted(111);
  });

  it('while it is read is gone on with in the copy', async () => {
    await writeFile(path, line(0) + line(1).slice(0, 9));
    await start();
    await counted(1);
    // The copy has more than was read, at the instant of the cut.
    await writeFile(`${path}.1`, line(0) + line(1) + line(2));
    await truncate(path, 0);
    await counted(111);
    appendFileSync(path, line(3));
    await counted(1_111);
  });
});

describe('a compressed file', () => {
  async function stopAfterFirstLine(): Promise<void> {
    await writeFile(path, line(0));
    await start();
    await counted(1);
    await stop();
    appendFileSync(path, line(1));
  }

  async function startedAndWaiting(): Promise<void> {
    const told: string[] = [];
    const tell = (...[, message]: readonly unknown[]) => void told.push(String(message));
    await start({ log: { debug: tell, info: tell, warn: tell, error: tell } });
    await waitFor('the file to be waited for', () =>
      told.some((one) => one.includes('waiting for the rest')),
    );
  }

  /** The file is seen to have grown, then to rest, and is looked at again. */
  async function letRest(): Promise<void> {
    for (let poll = 0; poll < 3; poll++) {
      await sleep(300);
      rig.skewMs += 1_500;
    }
  }

  it('that is still being written is waited for', async () => {
    await stopAfterFirstLine();
    renameSync(path, `${path}.1`);
    const packed = gzipSync(await readFile(`${path}.1`));
    rmSync(`${path}.1`);
    writeFileSync(path, line(2));
    writeFileSync(`${path}.1.gz`, '');
    await startedAndWaiting();
    writeFileSync(`${path}.1.gz`, packed.subarray(0, packed.length - 12));
    await letRest();
    expect(rig.agent.metrics.total('outcomesAccepted')).toBe(0);
    appendFileSync(`${path}.1.gz`, packed.subarray(packed.length - 12));
    await counted(111);
    expect(skipped()).toBe(0);
  });

  it('that its compressor began anew is read in its place', async () => {
    await stopAfterFirstLine();
    renameSync(path, `${path}.1`);
    const packed = gzipSync(await readFile(`${path}.1`));
    rmSync(`${path}.1`);
    writeFileSync(path, line(2));
    writeFileSync(`${path}.1.gz`, packed.subarray(0, packed.length - 12));
    await startedAndWaiting();
    rmSync(`${path}.1.gz`);
    writeFileSync(`${path}.1.gz`, packed);
    await counted(111);
    expect(skipped()).toBe(0);
  });

  it('that was cut off for good gives the lines that it has, and nothing else is lost', async () => {
    await stopAfterFirstLine();
    // Stored, not deflated, so that the cut leaves whole lines.
    renameSync(path, `${path}.2`);
    gzip(`${path}.2`);
    const text = line(2) + line(3) + line(4);
    const packed = gzipSync(text, { level: 0 });
    writeFileSync(`${path}.1.gz`, packed.subarray(0, packed.indexOf(line(4)) + 5));
    writeFileSync(path, line(5));
    await start();
    await counted(101_111);
    expect(skipped()).toBe(1);
    expect(rig.agent.metrics.render()).toContain('followed_files_skipped_total{reason="cut-off"} 1\n');
  });

  it('that fails its checksum is skipped as a whole and counted, and nothing else is lost', async () => {
    await stopAfterFirstLine();
    renameSync(path, `${path}.3`);
    gzip(`${path}.3`);
    writeFileSync(`${path}.2`, line(2));
    gzip(`${path}.2`);
    // Its lines say something, but not what was written.
    const packed = gzipSync(line(3), { level: 0 });
    packed[packed.indexOf('1000')] = '7'.charCodeAt(0);
    expect(() => gunzipSync(packed)).toThrow('incorrect data check');
    writeFileSync(`${path}.1.gz`, packed);
    writeFileSync(path, line(4));
    await start();
    await counted(10_111);
    expect(rig.agent.metrics.render()).toContain('followed_files_skipped_total{reason="broken"} 1\n');
  });

  it('that is broken before the line that was read last is skipped, and what came after it is read', async () => {
    await writeFile(path, line(0) + line(1));
    await start();
    await counted(11);
    await stop();
    appendFileSync(path, line(2));
    const { mtime } = statSync(path);
    rotate(line(3));
    const packed = await readFile(`${path}.1.gz`);
    await writeFile(`${path}.1.gz`, Buffer.concat([packed.subarray(0, 25), Buffer.alloc(40, 255)]));
    await utimes(`${path}.1.gz`, mtime, mtime);
    await sleep(20);
    rotate(line(4));
    await start();
    await counted(11_011);
    expect(skipped()).toBe(1);
  });

  it('of several members is read through all of them', async () => {
    await stopAfterFirstLine();
    const first = gzipSync(await readFile(path));
    rmSync(path);
    writeFileSync(`${path}.1.gz`, Buffer.concat([first, gzipSync(line(2)), gzipSync(line(3))]));
    writeFileSync(path, line(4));
    await start();
    await counted(11_111);
  });

  it.each(['zst', 'xz', 'bz2'])(
    'of the kind .%s is refused aloud, and nothing else is lost',
    async (kind) => {
      const told: object[] = [];
      const tell = (fields: object) => void told.push(fields);
      const silent = () => {};
      const log = { debug: silent, info: silent, warn: silent, error: tell };
      await stopAfterFirstLine();
      renameSync(path, `${path}.2`);
      gzip(`${path}.2`);
      writeFileSync(`${path}.1.${kind}`, 'compressed in another way');
      writeFileSync(path, line(3));
      await start({ log });
      await counted(1_011);
      expect(told).toEqual([{ file: `${path}.1.${kind}`, reason: 'compression' }]);
      expect(rig.agent.metrics.render()).toContain('followed_files_skipped_total{reason="compression"} 1\n');
    },
  );
});

describe('an agent that is killed while it reads compressed files', () => {
  const LINES = 40_000;
  const CRASHES = Number(process.env.ROOMWATCH_CRASHES ?? 3);
  const SEED = Number(process.env.ROOMWATCH_SEED ?? Date.now() % 1_000_000);

  it(`counts every line once, ${CRASHES} crashes (seed ${SEED})`, {
    timeout: 60_000 + CRASHES * 3_000,
  }, async () => {
    const random = seededRandom(SEED);
    const port = await freePort();
    const args = [
      '--server',
      rig.peer.url,
      '--service',
      'acme',
      '--follow',
      path,
      '--spool',
      join(rig.spool, 'spool'),
    ];
    args.push('--listen', `127.0.0.1:${port}`);
    const launch = () => startProgram('agent', args, { cwd: rig.folder, env: { ROOMWATCH_TOKEN: 'token' } });
    /** Waits for so many lines of this process and no longer; @returns how many it had read by then */
    const readLines = (lines: number) =>
      waitFor(
        `${lines} lines`,
        async () => {
          const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
          const read = Number(/outcomes_accepted_total\{source="file"\} (\d+)/.exec(text)?.[1] ?? 0);
          return read >= lines && read;
        },
        { everyMs: 1, withinMs: 20_000 },
      );
    const text = (file: number) =>
      Array.from({ length: LINES }, (_, i) => {
        // Not to be compressed to nothing, so that a file is read in many pieces.
        const app = String(random.integer(0, 1e9));
        return `${JSON.stringify({ result: 'ok', region: `file-${file}-${i % 50}`, app })}\n`;
      }).join('');
    await writeFile(path, text(0));
    let program = launch();
    // Only what is durable is known to the next process.
    await waitFor('the first lines', () => rig.peer.totals().ok > 0, { withinMs: 20_000 });
    await program.kill('SIGKILL');
    rotate(text(1));
    rotate(text(2));
    let read = 0;
    let crashes = 0;
    try {
      // Few are asked for each time, as many more are read until the signal arrives.
      for (; crashes < CRASHES && read < LINES; crashes++) {
        program = launch();
        read += await readLines(random.integer(1, 10_000));
        await program.kill('SIGKILL');
      }
      program = launch();
      await waitFor('all lines', () => rig.peer.totals().ok >= 3 * LINES, { withinMs: 30_000 });
      await program.kill('SIGTERM');
    } finally {
      await program.kill('SIGKILL');
    }
    expect(rig.peer.totals()).toEqual({ ok: 3 * LINES, failed: 0, lost: 0 });
    expect(crashes).toBeGreaterThan(1);
  });
});
