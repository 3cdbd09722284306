import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const demo = fileURLToPath(new URL('../../dist/test/demo/main.js', import.meta.url));
const left = () => readdirSync(tmpdir()).filter((name) => name.startsWith('roomwatch-demo-'));

it('the demo mails before the month is lost, ends by itself and leaves nothing behind', {
  timeout: 120_000,
}, async () => {
  const before = left();
  const child = spawn(process.execPath, [demo, '--duration', '50', '--plain'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH },
  });
  const [out, err] = [text(child.stdout), text(child.stderr)];
  const code = await new Promise((resolve) => child.on('exit', resolve));
  const last = (await out).trim().split('\n').at(-1) ?? '';
  expect(code, await err).toBe(0);
  expect(last).toMatch(/[01] of \d windows left, 99\.9\d\d% observed/);
  expect(last).toMatch(/[1-9] mails, last: \[(critical|warning)\] acme: /);
  expect(left()).toEqual(before);
});
