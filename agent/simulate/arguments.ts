import { parseArgs } from 'node:util';
import { SERVICE_PATTERN } from '../../sla/outcome.ts';
import { DEFAULT_SERVER, isServerUrl } from '../settings.ts';
import { CODE_PATTERN, type Read, readIncident, readInstant, readShare } from './incident.ts';
import { PLAN_DEFAULTS, type SimulatedIncident, type SimulationPlan } from './plan.ts';
import { readScript, shippedScripts } from './script.ts';

export interface SimulateArguments {
  readonly plan: SimulationPlan;
  readonly fromMs: number;
  /** null = go on for ever. */
  readonly toMs: number | null;
  readonly speed: number;
  readonly server: string;
  readonly spool: string;
  readonly tokenFile?: string;
  /** A file, or '-' for standard output; left out = send to the daemon. */
  readonly out?: string;
  readonly waitMs: number;
}

export const SIMULATE_USAGE = `roomwatch-agent simulate: made-up traffic with scripted incidents, delivered like real outcomes

usage: roomwatch-agent simulate [options]

  --service NAME, --services A,B     who is called (default ${PLAN_DEFAULTS.services.join(',')})
  --regions A,B  --platforms A,B     spread evenly (default ${PLAN_DEFAULTS.regions.join(',')}; ${PLAN_DEFAULTS.platforms.join(',')})
  --codes A,B/C                      codes of failures (default: some of the platform's own)
  --rate N                           attempts of each service in a second of simulated time (default ${PLAN_DEFAULTS.ratePerSecond})
  --noise SHARE                      how much the rate varies (default ${PLAN_DEFAULTS.noise})
  --failure-share SHARE              failures when nothing is wrong (default ${PLAN_DEFAULTS.failureShare})
  --curve flat|daily                 the same all day, or quiet at night (UTC+8)
  --incident FROM..TO:SHARE[:SERVICE][:REGION][:CODE]
                                     in that span the share fails; may be given several times
  --script FILE|NAME                 incidents from a file, or one that ships: ${shippedScripts().join(', ')}
  --from TIME  --to TIME             simulated span, RFC 3339 or now (default: from now, for ever)
  --live                             at the end of the span go on at the pace of the clock
  --speed N|max                      simulated seconds in a real one (default 1); never ahead of the clock
  --seed N                           the same seed gives the same traffic (default ${PLAN_DEFAULTS.seed})
  --out FILE|-                       write NDJSON instead of sending
  --server URL  --token-file FILE  --spool DIR  --wait SECONDS
                                     as without simulate (spool by default ./data/simulation-spool)

exit codes: 0 done; 1 not everything was counted in time, it waits in the spool; 2 bad usage
`;

const OPTIONS = {
  service: { type: 'string', multiple: true },
  services: { type: 'string' },
  regions: { type: 'string' },
  platforms: { type: 'string' },
  codes: { type: 'string' },
  rate: { type: 'string' },
  noise: { type: 'string' },
  'failure-share': { type: 'string' },
  curve: { type: 'string' },
  incident: { type: 'string', multiple: true },
  script: { type: 'string', multiple: true },
  from: { type: 'string' },
  to: { type: 'string' },
  live: { type: 'boolean' },
  speed: { type: 'string' },
  seed: { type: 'string' },
  out: { type: 'string' },
  server: { type: 'string' },
  'token-file': { type: 'string' },
  spool: { type: 'string' },
  wait: { type: 'string' },
} as const;

const RATE_MAX = 1_000_000;
const SPEED_MAX = 1_000_000;

/** Reads the command line; the first fault ends it with a sentence. */
export function readSimulateArguments(
  args: readonly string[],
  { cwd, nowMs }: { cwd: string; nowMs: number },
): Read<SimulateArguments> {
  let values: ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];
  try {
    ({ values } = parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }));
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
  let fault: string | undefined;
  const refuse = (message: string) => {
    fault ??= message;
  };
  const number = (name: 'rate' | 'seed' | 'wait', least: number, most: number, fallback: number): number => {
    const text = values[name];
    if (text === undefined) return fallback;
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!(value >= least && value <= most))
      refuse(`--${name} ${text}: write a number from ${least} to ${most}`);
    return value;
  };
  const share = (name: 'noise' | 'failure-share', fallback: number): number => {
    const value = values[name] === undefined ? fallback : readShare(values[name]);
    if (value === undefined) refuse(`--${name} ${values[name]}: write 0 to 1, or a percentage such as 0.1%`);
    return value ?? fallback;
  };
  const time = (name: 'from' | 'to'): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    const ms = text === 'now' ? nowMs : readInstant(text);
    if (ms === undefined) refuse(`--${name} ${text}: write RFC 3339 with an offset, or now`);
    return ms;
  };
  const names = (name: 'regions' | 'platforms', fallback: readonly string[]): readonly string[] => {
    const list = values[name] === undefined ? fallback : listOf(values[name]);
    if (list.length === 0 || list.length > 100 || list.some((one) => one.length > 64)) {
      refuse(`--${name} ${values[name]}: write 1 to 100 names of up to 64 characters, with commas between`);
    }
    return list;
  };

  const services = [...(values.service ?? []), ...listOf(values.services)];
  const badService = services.find((service) => !SERVICE_PATTERN.test(service));
  if (badService !== undefined)
    refuse(`--service ${badService}: use letters, digits, dots, dashes, underscores`);
  const codes = listOf(values.codes);
  const badCode = codes.find((code) => !CODE_PATTERN.test(code));
  if (badCode !== undefined) refuse(`--codes ${badCode}: write CODE or CODE/EXTRACODE, with commas between`);
  const curve = values.curve ?? PLAN_DEFAULTS.curve;
  if (curve !== 'flat' && curve !== 'daily') refuse(`--curve ${curve}: write flat or daily`);
  const speed = values.speed === 'max' ? Number.POSITIVE_INFINITY : Number(values.speed ?? 1);
  if (values.speed !== 'max' && !(speed > 0 && speed <= SPEED_MAX)) {
    refuse(`--speed ${values.speed}: write max, or a number up to ${SPEED_MAX}`);
  }
  if (values.server !== undefined && !isServerUrl(values.server)) {
    refuse(`--server ${values.server}: write a URL such as ${DEFAULT_SERVER}`);
  }

  const incidents: SimulatedIncident[] = [];
  for (const text of values.incident ?? []) {
    const read = readIncident(text);
    if (read.ok) incidents.push(read.value);
    else refuse(`--incident ${read.message}`);
  }
  for (const name of values.script ?? []) {
    const read = readScript(name, cwd);
    if (read.ok) incidents.push(...read.value);
    else refuse(`--script ${read.message}`);
  }

  const fromMs = time('from') ?? nowMs;
  const endMs = time('to');
  if (endMs !== undefined && endMs < fromMs) refuse('--to is before --from; swap them');
  if (values.live && values.out !== undefined) refuse('--live goes on for ever; leave it out with --out');
  if (values.out !== undefined && endMs === undefined) refuse('--out needs an end; give --to');
  const plan: SimulationPlan = {
    services: services.length > 0 ? [...new Set(services)] : PLAN_DEFAULTS.services,
    regions: names('regions', PLAN_DEFAULTS.regions),
    platforms: names('platforms', PLAN_DEFAULTS.platforms),
    codes,
    ratePerSecond: number('rate', 0, RATE_MAX, PLAN_DEFAULTS.ratePerSecond),
    noise: share('noise', PLAN_DEFAULTS.noise),
    failureShare: share('failure-share', PLAN_DEFAULTS.failureShare),
    curve: curve === 'daily' ? 'daily' : 'flat',
    incidents,
    seed: number('seed', 0, 0xffff_ffff, PLAN_DEFAULTS.seed),
  };
  const waitMs = number('wait', 0, 1_000_000, 30) * 1_000;
  if (fault !== undefined) return { ok: false, message: fault };
  return {
    ok: true,
    value: {
      plan,
      fromMs,
      toMs: values.live ? null : (endMs ?? null),
      speed,
      server: values.server ?? DEFAULT_SERVER,
      spool: values.spool ?? 'data/simulation-spool',
      waitMs,
      ...(values['token-file'] === undefined ? {} : { tokenFile: values['token-file'] }),
      ...(values.out === undefined ? {} : { out: values.out }),
    },
  };
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
