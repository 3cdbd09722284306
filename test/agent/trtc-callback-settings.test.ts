import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runAgent } from '../../agent/cli.ts';
import { signatureOf } from '../../agent/intake/callback-signer.ts';
import { loadSettings } from '../../agent/load-settings.ts';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait-for.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function load(trtcCallbacks: readonly object[]) {
  await writeFile(join(folder, 'agent.json'), JSON.stringify({ trtcCallbacks }, null, 1));
  return loadSettings('agent.json', folder);
}

const APP = { sdkAppId: 1400000123, service: 'acme', key: '123654' };

it('takes an application by number or text, with a key of 1 to 32 letters and digits', async () => {
  const keys = ['a', 'Z9'.repeat(16)];
  for (const sdkAppId of [1400000123, '1400000123']) {
    for (const key of keys) {
      const loaded = await load([{ ...APP, sdkAppId, key }]);
      expect(loaded).toMatchObject({
        ok: true,
        settings: { trtcCallbacks: [{ sdkAppId: '1400000123', service: 'acme', key }] },
      });
    }
  }
});

it.each([
  [
    'a key of 33 characters',
    [{ ...APP, key: 'x'.repeat(33) }],
    'trtcCallbacks[0].key is not 1 to 32 letters and digits',
  ],
  ['an empty key', [{ ...APP, key: '' }], 'trtcCallbacks[0].key is not 1 to 32 letters and digits'],
  [
    'key and file',
    [{ ...APP, keyFile: 'k' }],
    'trtcCallbacks[0].keyFile is given beside key; delete one of them',
  ],
  ['no application', [{ ...APP, sdkAppId: undefined }], 'trtcCallbacks[0].sdkAppId'],
  ['an application that is none', [{ ...APP, sdkAppId: 'live' }], 'trtcCallbacks[0].sdkAppId'],
  ['a service that is none', [{ ...APP, service: 'a b' }], 'trtcCallbacks[0].service is "a b"; a service is'],
  [
    'an application twice',
    [APP, { ...APP, sdkAppId: '1400000123', service: 'globex' }],
    'trtcCallbacks[1].sdkAppId is 1400000123 once more; an application belongs to one service',
  ],
  ['an unknown field', [{ ...APP, secret: 'x' }], 'trtcCallbacks[0].secret is not a known key'],
])('refuses %s, and never shows a key', async (_, apps, sentence) => {
  const loaded = await load(apps);
  if (loaded.ok) throw new Error('taken');
  expect(loaded.faults.join('\n')).toContain(sentence);
  expect(loaded.faults.join('\n')).not.toMatch(/123654|xxx/);
});

function start(env: Readonly<Record<string, string>>) {
  const stop = new AbortController();
  let log = '';
  const stderr = new PassThrough();
  stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const code = runAgent(['--config', 'agent.json'], {
    stdin: Readable.from([]),
    stdout: new PassThrough(),
    stderr,
    env: { ROOMWATCH_TOKEN: 'token', ...env },
    cwd: folder,
    signal: stop.signal,
  });
  return { code, stop: () => stop.abort(), log: () => log };
}

it('takes the key of the environment for an application that has none of its own', async () => {
  const port = await freePort();
  const { key: _, ...app } = APP;
  // Nobody listens at the server: a callback is kept all the same.
  const config = { listen: { port }, server: 'ws://127.0.0.1:9', trtcCallbacks: [app] };
  await writeFile(join(folder, 'agent.json'), JSON.stringify(config));
  const agent = start({ ROOMWATCH_TRTC_CALLBACK_KEY: 'fromTheEnvironment' });
  const body = JSON.stringify({ EventGroupId: 1, EventType: 101 });
  const post = (key: string) =>
    fetch(`http://127.0.0.1:${port}/v1/trtc/callback`, {
      method: 'POST',
      body,
      headers: { SdkAppId: '1400000123', Sign: signatureOf(key, Buffer.from(body)) },
    }).then(
      (response) => response.status,
      () => 0,
    );
  await waitFor('the answer', async () => (await post('fromTheEnvironment')) === 200);
  expect(await post('123654')).toBe(401);
  agent.stop();
  expect(await agent.code).toBe(0);
  expect(agent.log()).not.toContain('fromTheEnvironment');
});

it('ends with 2 and what to do where there is no key at all', async () => {
  const { key: _, ...app } = APP;
  await writeFile(join(folder, 'agent.json'), JSON.stringify({ listen: { port: 0 }, trtcCallbacks: [app] }));
  const agent = start({});
  expect(await agent.code).toBe(2);
  expect(agent.log()).toContain('SdkAppId 1400000123 has no callback key');
});

it('says that an agent which does not listen takes no callbacks', async () => {
  await writeFile(join(folder, 'agent.json'), JSON.stringify({ listen: false, trtcCallbacks: [APP] }));
  const agent = start({});
  await waitFor('the warning', () => agent.log().includes('trtcCallbacks are not taken'));
  agent.stop();
  expect(await agent.code).toBe(0);
});
