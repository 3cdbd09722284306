import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { type RunningProgram, startProgram } from '../support/program.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fleet } from './lib/fleet.ts';
import { isQuick, number, printMachine, printTable } from './lib/report.ts';

/**
 * How two thousand agents, real links over real WebSockets, come back to a daemon that was restarted: in order or
 * by `kill -9`, at once or after a while. What counts is the second in which most of them try, from when the daemon
 * listens again: about a hundred, which of two thousand is a twentieth. (Of the four hundred of `--quick` it is a
 * quarter; so few are let in sooner.)
 */
const AGENTS = isQuick ? 400 : 2_000;
const PROCESSES = 4;
/** Every agent has had a ping by then, which says how many they are. */
const SETTLE_MS = 25_000;
const OUTAGES: readonly { readonly signal: 'SIGTERM' | 'SIGKILL'; readonly outageMs: number }[] = [
  { signal: 'SIGTERM', outageMs: 0 },
  { signal: 'SIGKILL', outageMs: 0 },
  { signal: 'SIGKILL', outageMs: 10_000 },
  ...(isQuick ? [] : [{ signal: 'SIGKILL', outageMs: 30_000 } as const]),
];

printMachine();
// In memory: spools are not what is measured.
const folder = mkdtempSync('/dev/shm/bench-reconnect-');
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const port = await freePort();
const token = 'reconnect-token-reconnect-token';
const config = join(folder, 'roomwatch.yaml');
writeFileSync(
  config,
  [
    `listen: { host: 127.0.0.1, port: ${port} }`,
    `store: { directory: ${join(folder, 'books')} }`,
    'tokens:',
    `  - { name: edge, token: ${token}, services: all, role: agent }`,
    '',
  ].join('\n'),
);
async function startDaemon(): Promise<RunningProgram> {
  const daemon = startProgram('daemon', ['serve', '--config', config], { cwd: folder });
  await waitFor('the daemon', async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok, {
    withinMs: 60_000,
  });
  return daemon;
}

let daemon = await startDaemon();
const fleet = await Fleet.start(
  { agents: AGENTS, server: `ws://127.0.0.1:${port}`, token, folder: join(folder, 'spools') },
  PROCESSES,
);
const allConnected = async () => {
  const attemptsAtMs: number[] = [];
  await waitFor(
    'all agents to be connected',
    async () => {
      const state = await fleet.state();
      attemptsAtMs.push(...state.attemptsAtMs);
      return state.connected === AGENTS;
    },
    { withinMs: 300_000, everyMs: 200 },
  );
  return attemptsAtMs;
};
await allConnected();
const rows = [
  [`${number(AGENTS)} agents`, 'away for s', 'busiest second', '% of agents', 'all back after s'],
];
for (const { signal, outageMs } of OUTAGES) {
  await sleep(SETTLE_MS);
  await allConnected();
  const lostAtMs = Date.now();
  await daemon.kill(signal);
  await sleep(outageMs);
  daemon = await startDaemon();
  const backAtMs = Date.now();
  const attemptsAtMs = (await allConnected()).filter((atMs) => atMs >= backAtMs);
  const most = busiestSecond(attemptsAtMs);
  rows.push([
    signal,
    number((backAtMs - lostAtMs) / 1_000),
    String(most),
    number((most / AGENTS) * 100),
    number((Date.now() - backAtMs) / 1_000),
  ]);
}
printTable(rows);
fleet.end();
await daemon.kill('SIGKILL');

/** The most attempts within any second, wherever it begins. */
function busiestSecond(attemptsAtMs: readonly number[]): number {
  const sorted = [...attemptsAtMs].sort((a, b) => a - b);
  let most = 0;
  let from = 0;
  for (const [to, atMs] of sorted.entries()) {
    while (atMs - sorted[from]! >= 1_000) from += 1;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
