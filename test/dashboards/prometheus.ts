import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait-for.ts';

/** What a query answers: a number for each set of labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Prometheus {
  readonly url: string;
  /** @throws with Prometheus' own sentence when the expression does not parse or fails */
  query(expression: string): Promise<Sample[]>;
  /** All values of a stretch, each series' last one that is a number. */
  queryRange(
    expression: string,
    stretch: { fromMs: number; toMs: number; stepMs: number },
  ): Promise<Sample[]>;
  /** Values of a label over all series of a selector, as Grafana's label_values() asks for them. */
  labelValues(label: string, selector: string): Promise<string[]>;
  stop(): Promise<void>;
}

const SCRAPE_INTERVAL = '1s';

/**
 * A Prometheus of its own, on a free port and in a temporary folder.
 * @param asked  what it scrapes every second, by job: host:port, and the bearer token that its /metrics asks for, if
 *   any; or its whole configuration
 * @throws when Prometheus is not installed, with what to install
 */
export async function startPrometheus(
  asked:
    | Readonly<Record<string, { readonly address: string; readonly token?: string }>>
    | { readonly config: string },
): Promise<Prometheus> {
  if (spawnSync('prometheus', ['--version']).error) {
    throw new Error('no prometheus: install prometheus (Debian: apt-get install prometheus)');
  }
  const folder = mkdtempSync(join(tmpdir(), 'roomwatch-prometheus-'));
  const config = isWhole(asked) ? asked.config : configuration(asked);
  writeFileSync(join(folder, 'prometheus.yml'), config);
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=${address}`,
      '--log.level=warn',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4096);
  });
  const stop = async () => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitFor('Prometheus to be ready', async () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${log}`);
      return (await fetch(`http://${address}/-/ready`)).ok;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const ask = async (path: string, parameters: Record<string, string>): Promise<unknown> => {
    const response = await fetch(`http://${address}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = (await response.json()) as { status: string; error?: string; data: unknown };
    if (answer.status !== 'success') throw new Error(`${parameters.query ?? path}: ${answer.error}`);
    return answer.data;
  };
  return {
    url: `http://${address}`,
    query: async (expression) => {
      const { result } = (await ask('query', { query: expression })) as {
        result: { metric: Record<string, string>; value: [number, string] }[];
      };
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
    },
    queryRange: async (expression, { fromMs, toMs, stepMs }) => {
      const { result } = (await ask('query_range', {
        query: expression,
        start: String(fromMs / 1_000),
        end: String(toMs / 1_000),
        step: String(stepMs / 1_000),
      })) as { result: { metric: Record<string, string>; values: [number, string][] }[] };
      return result.flatMap(({ metric, values }) => {
        const last = values.map(([, value]) => Number(value)).findLast((value) => !Number.isNaN(value));
        return last === undefined ? [] : [{ labels: metric, value: last }];
      });
    },
    labelValues: async (label, selector) =>
      (await ask(`label/${label}/values`, { 'match[]': selector })) as string[],
    stop,
  };
}

function isWhole(asked: object): asked is { readonly config: string } {
  return 'config' in asked && typeof asked.config === 'string';
}

/** JSON is YAML. */
function configuration(targets: Readonly<Record<string, { address: string; token?: string }>>): string {
  return JSON.stringify({
    global: { scrape_interval: SCRAPE_INTERVAL, scrape_timeout: SCRAPE_INTERVAL },
    scrape_configs: Object.entries(targets).map(([job, { address, token }]) => ({
      job_name: job,
      static_configs: [{ targets: [address] }],
      ...(token === undefined ? {} : { authorization: { type: 'Bearer', credentials: token } }),
    })),
  });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}
