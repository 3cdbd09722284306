import { parseArgs } from 'node:util';
import { runAlertsChaos } from './alerts-chaos.ts';
import { runChaos } from './chaos.ts';

// The long form of exactly-once.test.ts. Prints the seed, the faults and both totals; exit 1 if they differ.
// With --alerts the long form of alerts-chaos.test.ts; exit 1 if a receiver was never told of something.
const { values } = parseArgs({
  options: {
    outcomes: { type: 'string', default: '200000' },
    agents: { type: 'string', default: '4' },
    store: { type: 'string', default: 'redis,embedded' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'outcomes-per-second': { type: 'string', default: '2000' },
    'fault-every-ms': { type: 'string', default: '800' },
    alerts: { type: 'boolean', default: false },
    kills: { type: 'string', default: '200' },
  },
});
if (values.alerts) {
  process.stdout.write(`alerts, seed ${values.seed}, ${values.kills} kills\n`);
  const result = await runAlertsChaos({
    daemons: 2,
    services: 4,
    seed: Number(values.seed),
    kills: Number(values.kills),
    killEveryMs: 2 * Number(values['fault-every-ms']),
    failing: 0.3,
    episodes: 2,
    say: (text) => process.stderr.write(`${text}\n`),
  });
  const { missing, ...counts } = result;
  process.stdout.write(
    `${missing.length === 0 ? 'everything at least once' : 'MISSING'}: ${JSON.stringify(counts)}\n${missing.map((one) => `  ${one}\n`).join('')}`,
  );
  process.exit(missing.length === 0 ? 0 : 1);
}
let isExact = true;
for (const store of values.store.split(',')) {
  if (store !== 'redis' && store !== 'embedded')
    throw new Error(`--store ${store}: use redis, embedded or both`);
  process.stdout.write(`store ${store}, seed ${values.seed}, ${values.outcomes} outcomes\n`);
  const result = await runChaos({
    store,
    outcomes: Number(values.outcomes),
    agents: Number(values.agents),
    seed: Number(values.seed),
    outcomesPerSecond: Number(values['outcomes-per-second']),
    faultEveryMs: Number(values['fault-every-ms']),
    say: (text) => process.stderr.write(`${text}\n`),
  });
  const same = JSON.stringify(ordered(result.counted)) === JSON.stringify(ordered(result.reported));
  isExact &&= same;
  process.stdout.write(
    `${same ? 'exact' : 'DIFFERENT'} after ${Math.round(result.elapsedMs / 1_000)} s; faults ${JSON.stringify(result.faults)}\n` +
      `  reported ${JSON.stringify(ordered(result.reported))}\n  counted  ${JSON.stringify(ordered(result.counted))}\n`,
  );
}
process.exit(isExact ? 0 : 1);

function ordered<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => a.localeCompare(b)));
}
