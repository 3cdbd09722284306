import { join } from 'node:path';
import { systemClock } from '../../../agent/clock.ts';
import { ForbiddenServices } from '../../../agent/forbidden-services.ts';
import { Link } from '../../../agent/link.ts';
import { silentLog } from '../../../agent/log.ts';
import { AgentMetrics } from '../../../agent/metrics.ts';
import { Spool } from '../../../agent/spool/spool.ts';
import type { FleetJob, FleetState } from './fleet.ts';

const links: Link[] = [];
let attemptsAtMs: number[] = [];

process.on('message', (message: FleetJob | 'state') => {
  if (message === 'state') {
    const connected = links.filter((link) => link.isConnected).length;
    process.send?.({ connected, attemptsAtMs } satisfies FleetState);
    attemptsAtMs = [];
    return;
  }
  start(message).then(
    () => process.send?.('started'),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', () => process.exit(0));

async function start({ agents, server, token, folder }: FleetJob): Promise<void> {
  for (let agent = 0; agent < agents; agent += 1) {
    const spool = await Spool.open({
      directory: join(folder, String(agent)),
      nowMs: Date.now,
      monotonicMs: () => performance.now(),
      services: ['acme'],
      hostId: `${folder}-${agent}`,
    });
    await spool.seal();
    const link = new Link({
      server,
      // Asked before each connection.
      token: async () => {
        attemptsAtMs.push(Date.now());
        return token;
      },
      agentId: `agent-${agent}`,
      spool,
      forbidden: new ForbiddenServices(),
      clock: systemClock,
      random: Math.random,
      correctsClock: true,
      metrics: new AgentMetrics({ version: 'bench', gauges: () => ({}) }),
      log: silentLog,
    });
    link.start();
    links.push(link);
  }
}
