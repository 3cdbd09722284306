import { afterEach } from 'vitest';
import { type DaemonEdge, type EdgeOptions, startEdge } from './daemon-edge.ts';

/** @returns starts an edge that is stopped after the test */
export function edgesOfThisFile(): (options?: EdgeOptions) => Promise<DaemonEdge> {
  const edges: DaemonEdge[] = [];
  afterEach(async () => {
    for (const edge of edges.splice(0)) await edge.stop();
  });
  return async (options) => {
    const edge = await startEdge(options);
    edges.push(edge);
    return edge;
  };
}

/** What the books hold of a service in the eight hours around an epoch minute, summed: attempts and failures. */
export async function booksOf(
  edge: Pick<DaemonEdge, 'store'>,
  service: string,
  aroundMinute = Math.floor(Date.now() / 60_000),
): Promise<{ readonly tallies: number[]; readonly late: number; readonly aliveMinutes: number[] }> {
  const from = Math.max(0, aroundMinute - (aroundMinute % 5) - 240);
  const facts = await edge.store.facts.readMinutes(service, from, from + 480);
  const tallies = [0, 0, 0, 0, 0];
  facts.tallies.forEach((n, i) => {
    tallies[i % 5] = (tallies[i % 5] ?? 0) + n;
  });
  const late = facts.late.reduce((sum, n) => sum + n, 0);
  const aliveMinutes = [...facts.alive].flatMap((isAlive, i) => (isAlive ? [from + i] : []));
  return { tallies, late, aliveMinutes };
}
