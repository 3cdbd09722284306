import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ADMIN_TOKEN, startStack } from './stack.ts';

const USAGE = `Usage: npm run stack [-- OPTIONS]

Starts what dashboards/compose/ starts, from the programs of this machine instead of containers: Redis, the daemon,
three agents with made-up traffic, Prometheus, Alertmanager and a mail server; all on free ports of 127.0.0.1. Half a
minute later an outage begins, and the alerts that fire in Alertmanager are shown as they come. Ctrl-C ends all of it
and leaves nothing behind.

  --duration SECONDS   end by itself (default: run until Ctrl-C)
  --help
`;

/** The agents need some seconds for the half hour before. */
const OUTAGE_AFTER_MS = 30_000;
const OUTAGE_MS = 5 * 60_000;

const { duration, help } = readArguments();
if (help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const untilMs = Date.now() + (duration === undefined ? Number.POSITIVE_INFINITY : Number(duration) * 1_000);
if (!(untilMs > Date.now())) {
  process.stderr.write(`--duration ${duration}: give a number of seconds above 0\n`);
  process.exit(2);
}
const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => ended.abort());
process.exit(await run());

function readArguments() {
  try {
    return parseArgs({
      options: { duration: { type: 'string' }, help: { type: 'boolean', default: false } },
    }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
}

async function run(): Promise<number> {
  const fromMs = Date.now() + OUTAGE_AFTER_MS;
  const stack = await startStack({ outage: { fromMs, toMs: fromMs + OUTAGE_MS, share: 0.4 } }).catch(
    (error: Error) => error,
  );
  if (stack instanceof Error) {
    process.stderr.write(`the stack could not start: ${stack.message}\n`);
    return 1;
  }
  const { page, prometheus, alertmanager, redis, agent } = stack.addresses;
  process.stdout.write(
    `the page       ${page}   (to change something: the token ${ADMIN_TOKEN})\n` +
      `Prometheus     ${prometheus}\nAlertmanager   ${alertmanager}\nRedis          ${redis}\n` +
      `report to      ${agent}\nan outage begins at ${new Date(fromMs).toISOString()}; Ctrl-C ends everything\n`,
  );
  const shown = new Set<string>();
  try {
    while (!ended.signal.aborted && Date.now() < untilMs) {
      const [dead] = stack.dead();
      if (dead !== undefined) throw new Error(`a program ended by itself:\n${dead}`);
      for (const { labels, annotations } of await stack.alerts()) {
        const line = `fires  ${labels.alertname}  ${labels.service ?? ''}  ${annotations.summary ?? ''}`;
        if (!shown.has(line)) process.stdout.write(`${line}\n`);
        shown.add(line);
      }
      await sleep(1_000, undefined, { signal: ended.signal }).catch(() => {});
    }
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  } finally {
    await stack.stop();
  }
}
