import {
  appendFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LinkTarget } from '../../agent/intake/link-target.ts';
import { FollowRig, line } from './follow-rig.ts';

let rig: FollowRig;
/** The followed path. */
let link: string;

beforeEach(async () => {
  rig = await FollowRig.open();
  mkdirSync(join(rig.folder, 'links'));
  mkdirSync(join(rig.folder, 'real'));
  link = join(rig.folder, 'links', 'app.log');
  setLink('../real/0.log');
});

afterEach(() => rig.close());

const real = (name: string) => join(rig.folder, 'real', name);
const start = () => rig.start({ follow: [link] });
const stop = () => rig.stop();
const counted = (sum: number) => rig.counted(sum);

/** As `ln -sfn` and the kubelet do, in one step. */
function setLink(target: string, name = link): void {
  symlinkSync(target, `${name}.new`);
  renameSync(`${name}.new`, name);
}

/** The file and the link rest for longer than a rotated file has to. */
async function letRest(): Promise<void> {
  for (let poll = 0; poll < 3; poll++) {
    await sleep(300);
    rig.skewMs += 1_500;
  }
}

async function followed(): Promise<void> {
  writeFileSync(real('0.log'), line(0));
  await start();
  await counted(1);
}

describe('a file that gets the followed name again while the agent runs', () => {
  it('by a link that is set back is gone on with where it was left, each line once', async () => {
    await followed();
    writeFileSync(real('1.log'), line(1));
    setLink('../real/1.log');
    await letRest();
    await counted(11);
    setLink('../real/0.log');
    appendFileSync(real('0.log'), line(2));
    await letRest();
    await counted(111);
    appendFileSync(real('0.log'), line(3));
    await letRest();
    await counted(1_111);
    // And once more, now that the position is in it again.
    appendFileSync(real('1.log'), line(4));
    await counted(11_111);
  }, 30_000);

  it('by a rotation that is undone is gone on with where it was left, each line once', async () => {
    await followed();
    renameSync(real('0.log'), real('0.log.1'));
    writeFileSync(real('0.log'), line(1));
    await letRest();
    await counted(11);
    renameSync(real('0.log.1'), real('0.log'));
    appendFileSync(real('0.log'), line(2));
    await letRest();
    await counted(111);
    appendFileSync(real('0.log'), line(3));
    await letRest();
    await counted(1_111);
  }, 30_000);
});

describe('a link to a file that is rotated beside its target', () => {
  it.each(['0.log.1', '0.log.20261123-140506'])(
    'is gone on with where it was left when that was done while the agent was down (%s)',
    async (rotated) => {
      await followed();
      await stop();
      appendFileSync(real('0.log'), line(1));
      renameSync(real('0.log'), real(rotated));
      writeFileSync(real('0.log'), line(2));
      await start();
      await counted(111);
      await stop();
      appendFileSync(real('0.log'), line(3));
      await start();
      await counted(1_111);
    },
  );

  it('is gone on with in all of the files when that was done several times, with compression', async () => {
    await followed();
    await stop();
    writeFileSync(real('0.log.20261121-140506.gz'), gzipSync(line(0) + line(1)));
    rmSync(real('0.log'));
    await sleep(20);
    writeFileSync(real('0.log.20261122-140506'), line(2));
    await sleep(20);
    writeFileSync(real('0.log'), line(3));
    await start();
    await counted(1_111);
  });

  it('is read to the end and then the new one, while the agent runs', async () => {
    await followed();
    renameSync(real('0.log'), real('0.log.1'));
    appendFileSync(real('0.log.1'), line(1));
    writeFileSync(real('0.log'), line(2));
    await counted(111);
    appendFileSync(real('0.log.1'), line(3));
    appendFileSync(real('0.log'), line(4));
    await counted(11_111);
  });

  it('is read in all files when that is done several times while the agent reads', async () => {
    await followed();
    renameSync(real('0.log'), real('0.log.2'));
    writeFileSync(real('0.log.1'), line(1));
    writeFileSync(real('0.log'), line(2));
    await counted(111);
  });

  it('is gone on with when it leads nowhere for a moment as the agent starts', async () => {
    await followed();
    await stop();
    appendFileSync(real('0.log'), line(1));
    renameSync(real('0.log'), real('0.log.1'));
    await start();
    await counted(11);
    writeFileSync(real('0.log'), line(2));
    await counted(111);
  });
});

describe('a link that is set to a new file in the same folder', () => {
  it.each([
    ['while the agent runs', async () => {}, async () => {}],
    ['while the agent is down', () => stop(), () => start()],
  ])('is gone on with in the old one and then in the new one, %s', async (_, before, after) => {
    await followed();
    await before();
    appendFileSync(real('0.log'), line(1));
    renameSync(real('0.log'), real('0.log.20261123-140506'));
    await sleep(20);
    writeFileSync(real('1.log'), line(2));
    setLink('../real/1.log');
    await after();
    await counted(111);
    await stop();
    appendFileSync(real('1.log'), line(3));
    renameSync(real('1.log'), real('1.log.20261124-140506'));
    writeFileSync(real('1.log'), line(4));
    await start();
    await counted(11_111);
  });

  it('is gone on with also when the old one keeps its name', async () => {
    await followed();
    await stop();
    appendFileSync(real('0.log'), line(1));
    writeFileSync(real('1.log'), line(2));
    setLink('../real/1.log');
    await start();
    await counted(111);
    writeFileSync(real('2.log'), line(3));
    appendFileSync(real('1.log'), line(4));
    setLink('../real/2.log');
    await counted(11_111);
  });

  it('leaves out nothing of what the old one got after it was rotated, while the agent runs', async () => {
    await followed();
    renameSync(real('0.log'), real('0.log.20261123-140506'));
    writeFileSync(real('0.log'), '');
    await letRest();
    // The last words of the container before it is started again.
    appendFileSync(real('0.log'), line(1));
    // Of an earlier container.
    writeFileSync(real('1.log.20261101-140506'), line(6));
    utimesSync(real('1.log.20261101-140506'), new Date(0), new Date(0));
    writeFileSync(real('1.log'), line(2));
    setLink('../real/1.log');
    await counted(111);
    appendFileSync(real('1.log'), line(3));
    await counted(1_111);
  });
});

describe('a link to the newest of files with dates beside it', () => {
  it('is gone on with in all of them, while the agent was down and while it runs', async () => {
    const dated = (day: number) => join(dirname(link), `app-2026112${day}.log`);
    writeFileSync(dated(0), line(0));
    setLink('app-20261120.log');
    await start();
    await counted(1);
    await stop();
    appendFileSync(dated(0), line(1));
    await sleep(20);
    writeFileSync(dated(1), line(2));
    await sleep(20);
    writeFileSync(dated(2), line(3));
    setLink('app-20261122.log');
    await start();
    await counted(1_111);
    writeFileSync(dated(3), line(4));
    setLink('app-20261123.log');
    await counted(11_111);
  });
});

describe('what a link leads to', () => {
  it('is the last of several links, also where a folder is one and where there is no such file', async () => {
    symlinkSync('links', join(rig.folder, 'folder'));
    setLink('../folder/../real/0.log', join(rig.folder, 'links', 'second.log'));
    setLink('second.log');
    const target = new LinkTarget(join(rig.folder, 'folder', 'app.log'));
    expect(existsSync(real('0.log'))).toBe(false);
    expect(await target.resolve()).toBe(real('0.log'));
    writeFileSync(real('0.log'), '');
    expect(await target.resolve()).toBe(real('0.log'));
  });

  it('is what it led to last while there is no link', async () => {
    const target = new LinkTarget(link);
    expect(await target.resolve()).toBe(real('0.log'));
    rmSync(link);
    expect(await target.resolve()).toBe(real('0.log'));
    expect(await new LinkTarget(link).resolve()).toBe(link);
    writeFileSync(link, '');
    expect(await target.resolve()).toBe(link);
  });

  it('is the path itself where links lead in a circle', async () => {
    setLink('app.log');
    expect(await new LinkTarget(link).resolve()).toBe(link);
  });
});
