import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { settingsSchema } from '../../agent/settings.ts';
import { readSimulateArguments } from '../../agent/simulate/arguments.ts';
import { faultText } from '../../server/config/faults.ts';
import { loadConfig } from '../../server/config/load.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const compose = join(root, 'dashboards/compose');
const kubernetes = join(root, 'dashboards/kubernetes');
const text = (path: string) => readFileSync(path, 'utf8');
const scratch = mkdtempSync(join(tmpdir(), 'roomwatch-deployment-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Service {
  readonly build?: { readonly context: string; readonly target: string };
  readonly image?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { condition: string }>>;
  readonly healthcheck?: { readonly disable?: boolean; readonly test?: readonly string[] };
}
const stack = parse(text(join(compose, 'compose.yaml')), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(stack.services);
const dockerfile = text(join(root, 'Dockerfile'));

/** What the service's command line is once compose has filled in the defaults of variables. */
const filled = (value: string) => value.replace(/\$\{\w+:-([^}]*)\}/g, '$1');

/** Mounts of files and folders beside the compose file: where they lie, and where they go. */
function mounts({ volumes = [] }: Service): { source: string; target: string }[] {
  return volumes
    .map((volume) => volume.split(':') as [string, string])
    .filter(([source]) => source.startsWith('.'))
    .map(([source, target]) => ({ source: resolve(compose, source), target }));
}

/** A tool of Debian's packages; its absence is a failure that says what to install. */
function run(
  tool: string,
  owner: string,
  args: readonly string[],
): { status: number | null; output: string } {
  const { error, status, stdout, stderr } = spawnSync(tool, args, { encoding: 'utf8' });
  if (error) throw new Error(`no ${tool}: install ${owner} (Debian: apt-get install ${owner})`);
  return { status, output: stdout + stderr };
}

describe('the compose stack', () => {
  it('mounts only what is there, and names only its own volumes and services', () => {
    for (const [name, service] of services) {
      for (const { source } of mounts(service)) expect(existsSync(source), `${name}: ${source}`).toBe(true);
      for (const volume of service.volumes ?? []) {
        const [source = ''] = volume.split(':');
        if (!source.startsWith('.')) expect(Object.keys(stack.volumes), name).toContain(source);
      }
      const needed = Array.isArray(service.depends_on)
        ? service.depends_on
        : Object.keys(service.depends_on ?? {});
      for (const other of needed) expect(Object.keys(stack.services), name).toContain(other);
    }
  });

  it('builds the targets of the Dockerfile, and pins every other image to a version', () => {
    for (const [name, { build, image }] of services) {
      if (build) {
        expect(resolve(compose, build.context), name).toBe(resolve(root));
        expect(dockerfile).toMatch(new RegExp(`^FROM \\S+ AS ${build.target}$`, 'm'));
      } else {
        expect(image, name).toMatch(/:v?\d+\.\d+/);
      }
    }
  });

  it('waits only for services that say when they are healthy', () => {
    for (const [name, { depends_on = [] }] of services) {
      for (const [other, { condition }] of Array.isArray(depends_on) ? [] : Object.entries(depends_on)) {
        if (condition !== 'service_healthy') continue;
        const awaited = stack.services[other]!;
        const says =
          awaited.healthcheck?.test !== undefined || (awaited.build && /^HEALTHCHECK/m.test(dockerfile));
        expect(says, `${name} waits for ${other}`).toBeTruthy();
      }
    }
  });

  it('is reached from this machine only', () => {
    for (const [name, { ports = [] }] of services) {
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
    }
  });

  it('keeps the books where none are thrown away', () => {
    const command = stack.services.redis?.command?.join(' ') ?? '';
    expect(command).toContain('--appendonly yes');
    expect(command).toContain('--maxmemory-policy noeviction');
  });

  it('gives the daemon a configuration that it takes, with the tokens that its agents send', () => {
    const { environment = {}, command } = stack.services.daemon!;
    const env = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, filled(value)]));
    const loaded = loadConfig({ file: 'roomwatch.yaml', env, cwd: compose });
    if (!loaded.ok) expect.fail(loaded.faults.map(faultText).join('\n'));
    expect(command).toEqual(['serve', '--config', mounts(stack.services.daemon!)[0]!.target]);
    expect(loaded.config.store).toMatchObject({ url: 'redis://redis:6379' });
    expect(loaded.config.tokens.map(({ role }) => role)).toEqual(['agent', 'admin']);
    for (const name of ['agent', 'traffic-guangzhou', 'traffic-frankfurt']) {
      expect(filled(stack.services[name]!.environment!.ROOMWATCH_TOKEN!), name).toBe(
        env.ROOMWATCH_AGENT_TOKEN,
      );
    }
    for (const receiver of loaded.config.alerting.receivers) {
      const hosts =
        receiver.type === 'email'
          ? [receiver.host]
          : 'urls' in receiver
            ? receiver.urls.map((url) => new URL(url).hostname)
            : [];
      for (const host of hosts) expect(Object.keys(stack.services)).toContain(host);
    }
  });

  it.each(['traffic-guangzhou', 'traffic-frankfurt'])(
    '%s runs a simulation that the agent understands',
    (name) => {
      const { command = [], entrypoint = [], environment = {} } = stack.services[name]!;
      // The shell computes the instants as it will in the container; only the program is replaced.
      const script = command
        .join(' ')
        .replaceAll('$$', '$')
        .replace('exec node dist/agent/main.js', 'printf "%s\\n"');
      const { stdout, status } = spawnSync(entrypoint[0]!, [...entrypoint.slice(1), script], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, ...environment },
      });
      expect(status).toBe(0);
      const [verb, ...args] = stdout.trim().split('\n');
      expect(verb).toBe('simulate');
      const nowMs = Date.now();
      const read = readSimulateArguments(args, { cwd: scratch, nowMs });
      if (!read.ok) expect.fail(read.message);
      expect(read.value.server).toBe('ws://daemon:9470');
      expect(read.value.toMs).toBeNull();
      const [, outage] = read.value.plan.incidents;
      expect(outage!.fromMs).toBeGreaterThan(nowMs + 60_000);
      expect(outage!.fromMs).toBeLessThan(nowMs + 180_000);
    },
  );

  it('gives Prometheus a configuration that it takes, with rules and targets that exist', () => {
    // The container's paths become those of this checkout.
    const local = mounts(stack.services.prometheus!).reduce(
      (config, { source, target }) => config.replaceAll(`${target}/`, `${source}/`),
      text(join(compose, 'prometheus.yml')),
    );
    const file = join(scratch, 'prometheus.yml');
    writeFileSync(file, local);
    const { status, output } = run('promtool', 'prometheus', ['check', 'config', file]);
    expect(output).toContain('is valid prometheus config file syntax');
    expect(status).toBe(0);
    const config = parse(local) as {
      rule_files: string[];
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    expect(config.rule_files.length).toBeGreaterThan(0);
    for (const rules of config.rule_files) expect(existsSync(rules), rules).toBe(true);
    const targets = config.scrape_configs.flatMap((job) => job.static_configs.flatMap((one) => one.targets));
    expect(targets).toEqual(['daemon:9470', 'agent:9471']);
  });

  it('gives Alertmanager a configuration that it takes', () => {
    const { status, output } = run('amtool', 'prometheus-alertmanager', [
      'check-config',
      join(compose, 'alertmanager.yml'),
    ]);
    expect(output).toContain('SUCCESS');
    expect(status).toBe(0);
  });

  it('hands Grafana the dashboards and the data source that they ask for', () => {
    const grafana = stack.services.grafana!;
    const inside = (path: string) => {
      const mount = mounts(grafana).find(({ target }) => path.startsWith(target));
      return mount && join(mount.source, path.slice(mount.target.length));
    };
    const provisioning = inside('/etc/grafana/provisioning')!;
    const providers = parse(text(join(provisioning, 'dashboards/roomwatch.yaml'))) as {
      providers: { options: { path: string } }[];
    };
    const folder = inside(providers.providers[0]!.options.path)!;
    expect(readdirSync(folder).sort()).toEqual(['fleet.json', 'health.json', 'month.json']);
    expect(existsSync(inside(grafana.environment!.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH!)!)).toBe(true);
    const sources = parse(text(join(provisioning, 'datasources/roomwatch.yaml'))) as {
      datasources: { type: string; url: string; isDefault: boolean }[];
    };
    const [source] = sources.datasources;
    expect(source).toMatchObject({ type: 'prometheus', isDefault: true });
    expect(Object.keys(stack.services)).toContain(new URL(source!.url).hostname);
  });
});

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template?: { readonly spec: PodSpec } };
}
interface PodSpec {
  readonly terminationGracePeriodSeconds: number;
  readonly volumes: readonly {
    name: string;
    configMap?: { name: string };
    secret?: { secretName: string };
  }[];
  readonly containers: readonly {
    readonly args: readonly string[];
    readonly env?: readonly { valueFrom: { secretKeyRef: { name: string; key: string } } }[];
    readonly volumeMounts: readonly { name: string; mountPath: string }[];
  }[];
}

describe('the Kubernetes example', () => {
  const manifests = readdirSync(kubernetes).flatMap((name) => {
    const documents = parseAllDocuments(text(join(kubernetes, name)));
    for (const document of documents) expect(document.errors).toEqual([]);
    return documents.map((document) => document.toJS() as Manifest);
  });
  const find = (kind: string, name: string) =>
    manifests.find((one) => one.kind === kind && one.metadata.name === name);
  const podOf = (kind: string, name: string) => find(kind, name)?.spec?.template?.spec as PodSpec;

  it('mounts and names only what it defines', () => {
    for (const [kind, name] of [
      ['Deployment', 'roomwatch'],
      ['StatefulSet', 'roomwatch-agent'],
    ] as const) {
      const pod = podOf(kind, name);
      for (const { configMap, secret } of pod.volumes) {
        if (configMap) expect(find('ConfigMap', configMap.name), name).toBeDefined();
        if (secret) expect(find('Secret', secret.secretName), name).toBeDefined();
      }
      for (const { valueFrom } of pod.containers.flatMap(({ env = [] }) => env)) {
        const { name: secret, key } = valueFrom.secretKeyRef;
        expect(Object.keys(find('Secret', secret)?.stringData ?? {}), name).toContain(key);
      }
    }
  });

  it('configures a daemon that starts, and stops before it is killed', () => {
    const { stringData = {} } = find('Secret', 'roomwatch')!;
    for (const [name, value] of Object.entries(stringData)) writeFileSync(join(scratch, name), value);
    const config = find('ConfigMap', 'roomwatch')!.data!['roomwatch.yaml']!;
    writeFileSync(join(scratch, 'roomwatch.yaml'), config.replaceAll('/run/secrets/roomwatch', scratch));
    const loaded = loadConfig({ file: 'roomwatch.yaml', env: {}, cwd: scratch });
    if (!loaded.ok) expect.fail(loaded.faults.map(faultText).join('\n'));
    expect(loaded.config.store).toMatchObject({ url: 'redis://redis:6379' });
    const pod = podOf('Deployment', 'roomwatch');
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(
      loaded.config.shutdownDeadlineMs + 5_000,
    );
    expect(pod.containers[0]?.args).toEqual(['serve', '--config', '/etc/roomwatch/roomwatch.yaml']);
  });

  it('configures an agent that starts, with its spool on the volume', () => {
    const settings = settingsSchema.parse(parse(find('ConfigMap', 'roomwatch-agent')!.data!['agent.yaml']!));
    expect(settings.server).toBe(`ws://${find('Service', 'roomwatch')!.metadata.name}:9470`);
    const [container] = podOf('StatefulSet', 'roomwatch-agent').containers;
    const data = container!.volumeMounts.find(({ name }) => name === 'data');
    expect(settings.spool.directory.startsWith(data!.mountPath)).toBe(true);
  });
});
