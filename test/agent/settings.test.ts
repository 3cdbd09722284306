import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadSettings } from '../../agent/load-settings.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function load(text: string) {
  await writeFile(join(folder, 'agent.yaml'), text);
  return loadSettings('agent.yaml', folder);
}

async function faultsOf(text: string): Promise<readonly string[]> {
  const loaded = await load(text);
  return loaded.ok ? [] : loaded.faults;
}

describe('a fault of the configuration names the field, its value and the fix', () => {
  it.each([
    ['services: acme', 'services is "acme"; write a list, in brackets'],
    ['services: [5]', 'services[0] is 5; write a text'],
    ['agentId: ""', 'agentId is empty; write it, or leave it out'],
    [`agentId: ${'x'.repeat(129)}`, 'agentId has 129 characters; give it 128 or less'],
    [
      `follow: [${'x,'.repeat(17)}]`,
      'follow is given 17 files, and the most is 16; give the rest to another agent',
    ],
    ['listen: 9471', 'listen is 9471; write a mapping such as { host: 127.0.0.1, port: 9471 }, or false'],
    ['listen: true', 'listen is true; write a mapping such as { host: 127.0.0.1, port: 9471 }, or false'],
    ['listen: { port: 70000 }', 'listen.port is 70000; write 65535 or less'],
    ['listen: { port: "9471" }', 'listen.port is "9471"; write a number'],
    ['listen: { prot: 9471 }', 'listen.prot is not a known key; delete it or correct its name'],
    ['spool: data', 'spool is "data"; write a mapping of keys to values'],
    ['spool: { maxBytes: 5 }', 'spool.maxBytes is 5; write 1048576 or more'],
    ['spool: { maxBytes: 1048576.5 }', 'spool.maxBytes is 1048576.5; write a whole number'],
    ['spool: { maxAgeDays: 0 }', 'spool.maxAgeDays is 0; write 0.01 or more'],
    [
      'log: { level: loud }',
      'log.level is "loud"; write one of trace, debug, info, warn, error, fatal, silent',
    ],
    [
      'origins: ["https://app.example.com/"]',
      'origins[0] is "https://app.example.com/"; write it as browsers do: https://app.example.com',
    ],
    [
      'origins: ["https://App.Example.com:443"]',
      'origins[0] is "https://App.Example.com:443"; write it as browsers do: https://app.example.com',
    ],
    ['origins: ["https://app.example.com/room?x#y"]', 'write it as browsers do: https://app.example.com'],
    ['origins: ["http://bücher.example"]', 'write it as browsers do: http://xn--bcher-kva.example'],
    ['origins: ["*"]', 'origins[0] is "*"; name each origin, like https://app.example.org'],
    [
      'origins: [app.example.com]',
      'origins[0] is "app.example.com"; write where the page is, like https://app.example.org',
    ],
    ['origins: ["app.example.com:443"]', 'origins[0] is "app.example.com:443"; write where the page is'],
    ['origins: ["null"]', 'origins[0] is "null"; write where the page is'],
    [
      'trtcCallbacks: [{ sdkAppId: live, service: acme }]',
      'trtcCallbacks[0].sdkAppId is "live"; write a number, like 1400000123',
    ],
    ['token: a\ntokenFile: b', 'agent.yaml:2 tokenFile is given beside token; delete one of them'],
    [
      '\n\njust words',
      'agent.yaml:3 the file is "just words"; write a mapping of keys to values, such as services: [acme]',
    ],
    [
      '- services',
      'agent.yaml:1 the file is an array; write a mapping of keys to values, such as services: [acme]',
    ],
  ])('%j', async (text, sentence) => {
    const faults = await faultsOf(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(/^agent\.yaml:\d+ /);
    expect(faults[0]).toContain(sentence);
  });

  it.each([
    ['token: ""', 'token is empty; write it, or leave it out'],
    ['token: 12345678', 'token is not what it must be; write a text'],
    [`token: x${'12345678'.repeat(65)}`, 'token has 521 characters; give it 512 or less'],
    [
      'trtcCallbacks: [{ sdkAppId: 1, service: acme, key: 12345678 }]',
      'trtcCallbacks[0].key is not what it must be; write a text',
    ],
  ])('but no secret: %j', async (text, sentence) => {
    const faults = await faultsOf(text);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(sentence);
    expect(faults[0]).not.toContain('12345678');
  });
});

it('origins are taken as browsers send them', async () => {
  const origins = ['https://app.example.com', 'http://localhost:5173', 'http://[::1]:8080'];
  expect(await load(JSON.stringify({ origins }))).toMatchObject({ ok: true, settings: { origins } });
});
