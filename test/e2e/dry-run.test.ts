import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { startHttpPeer } from '../support/http-peer.ts';
import { startProgram } from '../support/program.ts';
import { cell, failedCell, minuteNow, RawAgent } from '../support/raw-agent.ts';
import { waitFor } from '../support/wait-for.ts';

const TOKEN = 'dry-run-token-dry-run-token';
const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** A daemon that is told of failing entries, and a receiver with a dead man's switch beside it. */
async function serve(flags: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'roomwatch-dry-run-'));
  undo.push(async () => rmSync(folder, { recursive: true, force: true }));
  const peer = await startHttpPeer();
  undo.push(() => peer.stop());
  const port = await freePort();
  const configure = (parts: object) =>
    writeFileSync(
      join(folder, 'roomwatch.yaml'),
      JSON.stringify({
        listen: { port },
        tokens: [{ name: 'edge', token: TOKEN, role: 'agent' }],
        alerting: {
          groupWaitMs: 0,
          receivers: [{ name: 'hook', type: 'webhook', url: `${peer.url}/hook` }],
          deadMansSwitch: { url: `${peer.url}/ping`, intervalMs: 5_000 },
          ...parts,
        },
      }),
    );
  configure({ dryRun: false });
  const program = startProgram('daemon', ['serve', '--config', 'roomwatch.yaml', ...flags], { cwd: folder });
  undo.push(() => program.kill('SIGKILL'));
  await waitFor('readiness', async () => {
    if (!program.isRunning()) throw new Error(program.log());
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  });
  const { agent } = await RawAgent.greet(port, { services: ['acme'] }, TOKEN);
  undo.push(() => agent.end());
  const minute = minuteNow();
  agent.send(agent.batch(1, { minute, cells: [cell({ minute, n: 50 }), failedCell({ minute, n: 50 })] }));
  await agent.acknowledged(1);
  const firing = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/alerts`);
    const { alerts } = (await answer.json()) as { alerts: { state: string; step: string }[] };
    return alerts.filter(({ state }) => state === 'firing').map(({ step }) => step);
  };
  await waitFor('the alert', async () => (await firing()).includes('entry-failing'));
  return { peer, program, configure };
}

const decisions = (log: string) => log.split('\n').filter((line) => line.includes('an alert is said'));

it('serve --dry-run decides and logs, and sends nothing, whatever the file says and after a reload', {
  timeout: 60_000,
}, async () => {
  const { peer, program, configure } = await serve(['--dry-run']);
  const before = await waitFor('the decision in the log', () => decisions(program.log())[0]);
  expect(JSON.parse(before)).toMatchObject({ receiver: 'hook', kind: 'firing', dryRun: true });
  expect(program.log()).toContain('nothing is sent');

  configure({ dryRun: false, externalUrl: 'https://watch.example.org' });
  process.kill(program.pid, 'SIGHUP');
  // The new alerting remembers nothing of the old one's rehearsal, so it decides anew.
  await waitFor('the decision after the reload', () => decisions(program.log()).length === 2);
  expect(decisions(program.log()).every((line) => JSON.parse(line).dryRun === true)).toBe(true);
  await program.kill('SIGTERM');
  expect(peer.requests).toEqual([]);
});

it('without the flag the same daemon sends', { timeout: 60_000 }, async () => {
  const { peer } = await serve([]);
  await waitFor('the message', () => peer.requests.some(({ path }) => path === '/hook'));
  await waitFor('the ping', () => peer.requests.some(({ path }) => path === '/ping'), { withinMs: 20_000 });
});
