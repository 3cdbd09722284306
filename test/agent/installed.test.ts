import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { STOP_FLUSH_MS } from '../../agent/app.ts';
import { runAgent, USAGE } from '../../agent/cli.ts';
import { loadConfig } from '../../server/config/load.ts';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = (path: string) => readFileSync(join(root, path), 'utf8');

let folder: string;
let peer: Peer;

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
});

afterEach(async () => {
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Directives of a unit, in order; a name may come several times. */
function unit(path: string): Map<string, string[]> {
  const directives = new Map<string, string[]>();
  for (const line of text(path).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, section, name, value] =
      /^(?:\[(\w+)\]|(\w+)=(.*))$/.exec(line) ?? expect.fail(`${path}: ${line}`);
    if (section) expect(['Unit', 'Service', 'Install']).toContain(section);
    else directives.set(name!, [...(directives.get(name!) ?? []), value!]);
  }
  return directives;
}

/** Runs the agent as its supervisor would until it has delivered an outcome, then ends it. */
async function deliversWith(args: readonly string[], port: number, env: Record<string, string> = {}) {
  const stop = new AbortController();
  const said = new PassThrough();
  let log = '';
  said.on('data', (bytes) => {
    log += bytes;
  });
  const io = { stdin: Readable.from([]), stdout: said, stderr: said, env, cwd: folder, signal: stop.signal };
  const ended = runAgent(args, io);
  try {
    await waitFor('a 202', async () => {
      const url = `http://127.0.0.1:${port}/v1/outcomes`;
      return (await fetch(url, { method: 'POST', body: '{"result":"ok"}' })).status === 202;
    });
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    await waitFor('it to be counted', () => peer.totals().ok === 1);
    expect(peer.authorizations[0]).toBe('Bearer the-token');
  } catch (error) {
    throw new Error(log, { cause: error });
  } finally {
    stop.abort();
    expect(await ended).toBe(0);
  }
}

const flagsIn = (args: readonly string[]) => args.flatMap((arg) => /^--[a-z-]+/.exec(arg)?.[0] ?? []);

describe('the systemd unit of the agent', () => {
  const path = 'agent/systemd/roomwatch-agent.service';
  const directives = unit(path);
  const one = (name: string) => {
    expect(directives.get(name), name).toHaveLength(1);
    return directives.get(name)![0]!;
  };

  it('starts an agent that delivers, with the token that systemd lends it', async () => {
    const port = await freePort();
    const config = text('agent/systemd/agent.yaml')
      .replace('ws://127.0.0.1:9470', peer.url)
      .replace('9471', String(port));
    await writeFile(join(folder, 'agent.yaml'), config);
    await mkdir(join(folder, 'credentials'));
    const [, name] = /^(\w+):\/etc\/roomwatch\//.exec(one('LoadCredential'))!;
    await writeFile(join(folder, 'credentials', name!), 'the-token\n');
    const [program, ...args] = one('ExecStart')
      .replaceAll('/etc/roomwatch', folder)
      .replaceAll(`\${CREDENTIALS_DIRECTORY}`, join(folder, 'credentials'))
      .replaceAll(`\${STATE_DIRECTORY}`, folder)
      .split(' ');
    expect(program).toBe('roomwatch-agent');
    expect(Object.keys(JSON.parse(text('package.json')).bin)).toContain(program);
    for (const flag of flagsIn(args)) expect(USAGE).toContain(`  ${flag} `);
    await deliversWith(args, port);
    expect(existsSync(join(folder, 'spool'))).toBe(true);
  });

  it('gives it the time that it takes to stop, and starts it again whatever happens', () => {
    // Requests under way have 2 s before that.
    expect(Number(one('TimeoutStopSec')) * 1_000).toBeGreaterThan(STOP_FLUSH_MS + 2_000);
    expect(one('Restart')).toBe('always');
    expect(one('StartLimitIntervalSec')).toBe('0');
    expect(directives.has('WatchdogSec')).toBe(false);
  });

  it('leaves it no more rights than it needs, and what Node and the spool’s lock need', () => {
    expect(one('DynamicUser')).toBe('yes');
    expect(one('ProtectSystem')).toBe('strict');
    expect(one('NoNewPrivileges')).toBe('yes');
    expect(one('CapabilityBoundingSet')).toBe('');
    expect(one('MemoryMax')).toMatch(/^\d+M$/);
    for (const name of ['MemoryDenyWriteExecute', 'ProtectProc', 'ProcSubset']) {
      expect(directives.has(name), name).toBe(false);
    }
  });
});

describe('the systemd unit of the daemon', () => {
  const directives = unit('server/systemd/roomwatch.service');

  it('starts it with a configuration that it takes, and gives it the time that it takes to stop', async () => {
    expect(directives.get('ExecStart')).toEqual(['roomwatch serve --config /etc/roomwatch/roomwatch.yaml']);
    for (const credential of directives.get('LoadCredential')!) {
      const [name] = credential.split(':');
      await writeFile(join(folder, name!), `a-token-of-enough-letters-${name}`);
    }
    const config = text('server/systemd/roomwatch.yaml')
      .replaceAll('/run/credentials/roomwatch.service', folder)
      .replace('/var/lib/roomwatch', folder);
    await writeFile(join(folder, 'roomwatch.yaml'), config);
    const loaded = loadConfig({ file: 'roomwatch.yaml', env: {}, cwd: folder });
    if (!loaded.ok) expect.fail(JSON.stringify(loaded.faults));
    expect(loaded.config.tokens.map(({ role }) => role)).toEqual(['agent', 'admin']);
    const stopMs = Number(directives.get('TimeoutStopSec')?.[0]) * 1_000;
    expect(stopMs).toBeGreaterThan(loaded.config.shutdownDeadlineMs + 5_000);
  });

  it('keeps the books where the unit lets it write', () => {
    expect(text('server/systemd/roomwatch.yaml')).toContain(
      `directory: /var/lib/${directives.get('StateDirectory')}`,
    );
  });
});

interface Container {
  readonly name: string;
  readonly restartPolicy?: string;
  readonly args: readonly string[];
  readonly env: readonly {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef: { name: string; key: string } };
  }[];
  readonly ports: readonly { name: string; containerPort: number }[];
  readonly startupProbe: { httpGet: { path: string; port: string } };
  readonly volumeMounts: readonly { name: string; mountPath: string }[];
}

describe('the Kubernetes sidecar', () => {
  const { spec } = parse(text('agent/kubernetes/sidecar.yaml')) as {
    spec: {
      template: {
        spec: {
          terminationGracePeriodSeconds: number;
          initContainers: [Container];
          containers: [Container];
        };
      };
      volumeClaimTemplates: readonly { metadata: { name: string } }[];
    };
  };
  const pod = spec.template.spec;
  const [sidecar] = pod.initContainers;

  it('starts an agent that delivers', async () => {
    const port = await freePort();
    expect(sidecar.restartPolicy).toBe('Always');
    for (const flag of flagsIn(sidecar.args)) expect(USAGE).toContain(`  ${flag} `);
    const args = sidecar.args.map((arg) =>
      arg.replace('ws://roomwatch:9470', peer.url).replace('/data', folder).replace('9471', String(port)),
    );
    await deliversWith(args, port, { ROOMWATCH_TOKEN: 'the-token', ROOMWATCH_HOST_ID: 'container' });
    expect(existsSync(join(folder, 'spool'))).toBe(true);
  });

  it('mounts the claim that it makes, under the spool, and is probed where it listens', () => {
    const [mount] = sidecar.volumeMounts;
    expect(spec.volumeClaimTemplates.map(({ metadata }) => metadata.name)).toEqual([mount!.name]);
    expect(sidecar.args).toContain(`--spool=${mount!.mountPath}/spool`);
    expect(sidecar.args).toContain(`--listen=0.0.0.0:${sidecar.ports[0]!.containerPort}`);
    expect(sidecar.startupProbe.httpGet).toEqual({ path: '/healthz', port: sidecar.ports[0]!.name });
    const [url] = pod.containers[0].env;
    expect(url!.value).toBe(`http://127.0.0.1:${sidecar.ports[0]!.containerPort}/v1/outcomes`);
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(2 * STOP_FLUSH_MS);
  });

  it('shares the daemon’s address, token and limits with the example for a whole cluster', () => {
    const daemon = text('dashboards/kubernetes/daemon.yaml');
    const shared = text('dashboards/kubernetes/agent.yaml');
    const { name, key } = sidecar.env[0]!.valueFrom!.secretKeyRef;
    expect(daemon).toMatch(new RegExp(`kind: Secret\nmetadata:\n  name: ${name}\n`));
    expect(daemon).toContain(`\n  ${key}: `);
    expect(shared).toContain('server: ws://roomwatch:9470\n');
    for (const line of [
      'limits: { memory: 384Mi }',
      'readOnlyRootFilesystem: true',
      'drop: [ALL]',
      'fsGroup: 1000',
    ]) {
      expect(shared).toContain(line);
      expect(text('agent/kubernetes/sidecar.yaml')).toContain(line);
    }
  });
});
