import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AgentOptions, type RunningAgent, startAgent } from '../../agent/app.ts';
import { unfollowable } from '../../agent/intake/followed-file.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let path: string;
let peer: Peer;
let agent: RunningAgent | undefined;
let told: string[];

beforeEach(async () => {
  folder = await temporaryFolder();
  path = join(folder, 'entries.log');
  peer = await startPeer();
  told = [];
});

afterEach(async () => {
  await stop();
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

async function start(options: Partial<AgentOptions> = {}): Promise<void> {
  const tell =
    (level: string) =>
    (...[fields, message]: readonly unknown[]) => {
      if ((fields as { file?: string }).file === path) told.push(`${level}: ${message}`);
    };
  agent = await startAgent({
    server: peer.url,
    token: async () => 'token',
    spoolDirectory: join(folder, 'spool'),
    services: ['acme'],
    follow: [path],
    log: { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') },
    ...options,
  });
}

async function stop(): Promise<void> {
  await agent?.stop(0);
  agent = undefined;
}

const line = '{"result":"ok"}\n';

function makeFifo(name: string): void {
  const { error, status, stderr } = spawnSync('mkfifo', [name], { encoding: 'utf8' });
  if (error) throw new Error('mkfifo is missing; install it with: apt-get install coreutils');
  if (status !== 0) throw new Error(stderr);
}

const accepted = (lines: number) =>
  waitFor(`${lines} lines`, () => agent!.metrics.total('outcomesAccepted') === lines);
const gauge = (name: string) =>
  Number(new RegExp(`^roomwatch_agent_${name} (\\d+)$`, 'm').exec(agent!.metrics.render())?.[1]);

describe('what is named to be followed and is no file', () => {
  it.each([
    ['a directory', 'is a directory; name the file in it that grows', mkdirSync],
    ['a FIFO', 'is a FIFO; read it with roomwatch-agent --stdin', makeFifo],
  ])('keeps the agent from starting, if it is %s', async (_, sentence, make) => {
    make(path);
    await expect(start()).rejects.toThrow(`${path} ${sentence}`);
    // Nothing is left behind that would keep the next one from starting.
    rmSync(path, { recursive: true });
    writeFileSync(path, line);
    await start();
    await accepted(1);
  });

  it.each([
    ['a directory', 'is a directory', mkdirSync],
    ['a FIFO', 'is a FIFO', makeFifo],
    ['a circle of links', 'cannot be opened (ELOOP)', (name: string) => symlinkSync(name, name)],
  ])('later, as %s, is told once, and holds up neither the others nor the end', async (_, sentence, make) => {
    const others = Array.from({ length: 4 }, (_, i) => join(folder, `other-${i}.log`));
    const fifos = Array.from({ length: 4 }, (_, i) => join(folder, `more-${i}.log`));
    await start({ follow: [path, ...fifos, ...others] });
    for (const one of [path, ...fifos]) make(one);
    await waitFor('the sentence', () => told.some((one) => one.startsWith(`error: ${path} ${sentence}`)));
    for (const one of others) writeFileSync(one, line);
    await accepted(4);
    // Looked at twice more.
    await sleep(2_700);
    expect(told.filter((one) => one.startsWith('error'))).toHaveLength(1);
    rmSync(path, { recursive: true });
    writeFileSync(path, line);
    await accepted(5);
    expect(told.at(-1)).toBe('info: the file is there and is followed');
    await stop();
  });

  it('in place of a file that was followed is told once, and the file is gone on with when it is back', async () => {
    writeFileSync(path, line);
    await start();
    await accepted(1);
    rmSync(path);
    mkdirSync(path);
    await waitFor('the sentence', () => told.some((one) => one.includes('is a directory')));
    await sleep(2_700);
    expect(told.filter((one) => one.startsWith('error'))).toHaveLength(1);
    rmSync(path, { recursive: true });
    writeFileSync(path, line + line);
    await accepted(2);
  });

  it('is told with what to do when this user may not read it', () => {
    const refused = Object.assign(new Error('permission denied'), { code: 'EACCES' });
    expect(unfollowable('/var/log/acme.log', refused).message).toMatch(
      /^\/var\/log\/acme\.log cannot be read by this user \(EACCES\); let it read the file/,
    );
  });
});

describe('a followed file that does not exist', () => {
  it('is told once to be waited for, and once to be there', async () => {
    await start();
    await waitFor('the warning', () => told.length > 0);
    expect(gauge('followed_files_open')).toBe(0);
    await sleep(600);
    writeFileSync(path, line);
    await accepted(1);
    expect(told).toEqual(['warn: waiting for the file to appear', 'info: the file is there and is followed']);
    expect(gauge('followed_files_open')).toBe(1);
  });
});

describe('the bytes of followed files that are not read yet', () => {
  it('are told while the spool refuses them, and none when all is read', async () => {
    writeFileSync(path, line);
    await start();
    await accepted(1);
    await waitFor('the file to be read', () => gauge('followed_unread_bytes') === 0);
    const { spool } = agent!;
    spool.refusal = () => 'disk-full';
    appendFileSync(path, line.repeat(3));
    await waitFor('the lag', () => gauge('followed_unread_bytes') === 3 * line.length);
    Reflect.deleteProperty(spool, 'refusal');
    await accepted(4);
    await waitFor('the file to be read', () => gauge('followed_unread_bytes') === 0);
  });

  it('include those of the files that come after the one that is read', async () => {
    writeFileSync(path, line);
    await start();
    await accepted(1);
    await stop();
    appendFileSync(path, line.repeat(2));
    renameSync(path, `${path}.2`);
    await sleep(20);
    writeFileSync(`${path}.1`, line.repeat(4));
    await sleep(20);
    writeFileSync(path, line.repeat(8));
    await start();
    // The first is read and rests for two seconds, the others wait.
    await waitFor('the lag', () => gauge('followed_unread_bytes') === 12 * line.length);
    await accepted(14);
    await waitFor('the files to be read', () => gauge('followed_unread_bytes') === 0);
  });
});
