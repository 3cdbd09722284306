import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type Daemon, startDaemon } from '../../server/app.ts';
import { faultText } from '../../server/config/faults.ts';
import { type LoadedConfig, loadConfig } from '../../server/config/load.ts';
import { createLog } from '../../server/log.ts';

export const AGENT_TOKEN = 'agent-token-of-the-tests';
export const ADMIN_TOKEN = 'admin-token-of-the-tests';
export const READER_TOKEN = 'reader-token-of-the-tests';

/** A daemon in this process, on a free port, with its log and configuration at hand. */
export interface TestDaemon {
  readonly daemon: Daemon;
  readonly url: string;
  readonly folder: string;
  /** Everything logged, one JSON object a line. */
  log(): string;
  /** What the configuration would be with these keys instead. */
  config(parts: object): Promise<LoadedConfig>;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  getJson<T>(path: string): Promise<T>;
  /** With the admin's token. */
  write(method: 'POST' | 'DELETE', path: string, body?: unknown, token?: string): Promise<Response>;
  stop(): Promise<void>;
}

export async function bootDaemon(
  options: {
    /** Keys of the configuration file; tokens and a free port are there already. */
    readonly config?: object;
    readonly nowMs?: () => number;
    /** An existing folder, kept by `stop`; otherwise a temporary one. */
    readonly folder?: string;
  } = {},
): Promise<TestDaemon> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'roomwatch-daemon-')));
  const config = async (parts: object): Promise<LoadedConfig> => {
    const text = JSON.stringify({
      listen: { port: 0 },
      store: { directory: 'books' },
      tokens: [
        { name: 'edge', role: 'agent', token: AGENT_TOKEN },
        { name: 'ops', role: 'admin', token: ADMIN_TOKEN },
        { name: 'eyes', role: 'reader', token: READER_TOKEN },
      ],
      ...parts,
    });
    await writeFile(join(folder, 'roomwatch.yaml'), text);
    return loadConfig({ file: 'roomwatch.yaml', env: {}, cwd: folder });
  };
  const loaded = await config(options.config ?? {});
  if (!loaded.ok) throw new Error(loaded.faults.map(faultText).join('\n'));
  let logged = '';
  const sink = new PassThrough();
  sink.on('data', (data: Buffer) => {
    logged += data.toString();
  });
  const daemon = await startDaemon(loaded.config, {
    log: createLog('debug', sink),
    ...(options.nowMs && { nowMs: options.nowMs }),
  }).catch(async (error: unknown) => {
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    throw error;
  });
  const { url } = daemon;
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${url}${path}`, { headers });
  return {
    daemon,
    url,
    folder,
    log: () => logged,
    config,
    get,
    async getJson<T>(path: string): Promise<T> {
      const response = await get(path);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return (await response.json()) as T;
    },
    write: (method, path, body, token = ADMIN_TOKEN) =>
      fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    async stop() {
      await daemon.stop();
      if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
