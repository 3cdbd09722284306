import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { presetTerms, type Terms } from '../../sla/terms.ts';
import { isLoopback, type Token } from '../http/access.ts';
import { StoreFault } from '../store/errors.ts';
import type { StoreConfig } from '../store/open-store.ts';
import { parseRedisUrl } from '../store/redis/url.ts';
import type { Config } from './config.ts';
import { type Path, readDocument, type SourceDocument } from './document.ts';
import { loadExclusions } from './exclusions-file.ts';
import { type ConfigFault, dotted, faultsOf, sentences } from './faults.ts';
import { type ConfigFile, configSchema } from './schema.ts';
import { resolveReferences } from './secrets.ts';

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

const DATA_DIRECTORY = 'data';

/**
 * Reads the configuration, once: the file, what it refers to, and the environment.
 * @param options.file  null = defaults: the embedded store in ./data, loopback only
 * @returns the configuration, or every fault of it at once; never throws
 */
export function loadConfig(options: {
  readonly file: string | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}): LoadedConfig {
  const { file, env, cwd } = options;
  if (file === null) return complete({ given: configSchema.parse({}), file, folder: cwd, env, faults: [] });
  const path = resolve(cwd, file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const message = `cannot be read (${code}); check the path, or start without --config for the defaults`;
    return { ok: false, faults: [{ file, position: null, path: '', message }] };
  }
  const parsed = readDocument(text);
  if (!parsed.ok) return { ok: false, faults: parsed.faults.map((fault) => ({ file, path: '', ...fault })) };
  return judge({ file, folder: folderOf(path, cwd), env, document: parsed.document });
}

/** Where relative paths of a configuration begin: a pipe, as of `--config <(...)`, has no folder of its own. */
function folderOf(path: string, cwd: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ? dirname(path) : cwd;
}

function judge(source: {
  readonly file: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly document: SourceDocument;
}): LoadedConfig {
  const { file, folder, env, document } = source;
  const faultAt = (path: Path, message: string): ConfigFault => ({
    file,
    position: document.positionOf(path),
    path: dotted(path),
    message,
  });
  // An empty file, or one of comments alone, asks for the defaults.
  const { value, faults: references } = resolveReferences(document.value ?? {}, { env, folder });
  const missing = references.map(({ path, message }) => faultAt(path, message));
  const parsed = configSchema.safeParse(value, { error: sentences });
  const wrong = parsed.success
    ? []
    : faultsOf(parsed.error.issues, { file, document, schema: configSchema }).filter(
        (fault) => !missing.some((one) => one.path === fault.path || one.path === `${fault.path}File`),
      );
  const given = parsed.success ? parsed.data : soundSections(value);
  return complete({ given, file, folder, env, faults: [...missing, ...wrong], faultAt });
}

/** What of a faulty file is sound by section, so that the rules across values and files are judged all the same. */
function soundSections(value: unknown): ConfigFile {
  const sections = Object.entries(configSchema.shape).map(([name, section]) => {
    const own = section.safeParse(Reflect.get(Object(value), name));
    return [name, own.success ? own.data : section.parse(undefined)] as const;
  });
  return Object.fromEntries(sections) as ConfigFile;
}

function complete(source: {
  readonly given: ConfigFile;
  readonly file: string | null;
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly faults: readonly ConfigFault[];
  readonly faultAt?: (path: Path, message: string) => ConfigFault;
}): LoadedConfig {
  const { given, file, folder, env } = source;
  const faultAt =
    source.faultAt ??
    ((path, message) => ({ file: 'the defaults', position: null, path: dotted(path), message }));
  const faults = [...source.faults];
  const report = (path: Path, message: string) => void faults.push(faultAt(path, message));

  const store = storeOf(given.store, { folder, env, report });
  const tokens = tokensOf(given.tokens, report);
  const terms = given.terms ?? presetTerms('trtc');
  const termsByService = new Map<string, Terms>();
  for (const [service, own] of Object.entries(given.services)) {
    if (own.terms) termsByService.set(service, own.terms);
  }
  const files = [
    { file: given.exclusionsFile, path: ['exclusionsFile'], service: null },
    ...Object.entries(given.services).map(([service, { exclusionsFile }]) => ({
      file: exclusionsFile,
      path: ['services', service, 'exclusionsFile'],
      service,
    })),
  ];
  const exclusions = files.flatMap((one) => {
    if (one.file === undefined) return [];
    const loaded = loadExclusions(resolve(folder, one.file), {
      service: one.service,
      termsOf: (service) => termsByService.get(service) ?? terms,
    });
    if (loaded.ok) return loaded.exclusions;
    faults.push(...loaded.faults);
    if (loaded.isUnreadable) report(one.path, 'names a file that cannot be read; correct the path');
    return [];
  });
  if (faults.length > 0) return { ok: false, faults: inOrder(faults) };

  const { listen, alerting, limits, retentionDays, metrics, log, shutdownDeadlineMs } = given;
  const dataDirectory = 'directory' in store ? store.directory : join(folder, DATA_DIRECTORY);
  const config: Config = {
    file,
    listen,
    store,
    tokens,
    generatedTokenFile: tokens.some(({ role }) => role !== 'reader')
      ? null
      : join(dataDirectory, 'agent-token'),
    terms,
    termsByService,
    exclusions,
    alerting,
    limits,
    retentionDays,
    metrics,
    log,
    shutdownDeadlineMs,
    warnings: warningsOf({ listen, tokens, areMetricsOpen: metrics.open }),
  };
  return { ok: true, config: freezeDeeply(config) };
}

type Report = (path: Path, message: string) => void;

function storeOf(
  given: ConfigFile['store'],
  {
    folder,
    env,
    report,
  }: {
    readonly folder: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly report: Report;
  },
): StoreConfig {
  const { url: ownUrl, directory, ...rest } = given;
  // The environment names a store only where the file does not.
  const fromEnv = ownUrl === undefined && directory === undefined ? env.REDIS_URL || undefined : undefined;
  const url = ownUrl ?? fromEnv;
  if (url === undefined) {
    for (const key of Object.keys(rest))
      report(['store', key], 'is for Redis only; delete it, or give store.url');
    return { directory: resolve(folder, directory ?? DATA_DIRECTORY) };
  }
  if (directory !== undefined) report(['store', 'directory'], 'is given together with url; keep one of them');
  try {
    parseRedisUrl(url);
  } catch (error) {
    if (!(error instanceof StoreFault)) throw error;
    const source = fromEnv === undefined ? '' : 'comes from REDIS_URL: ';
    report(['store', 'url'], `${source}${error.message}`);
  }
  return { url, ...defined(rest) };
}

function tokensOf(given: ConfigFile['tokens'], report: Report): Token[] {
  const names = new Set<string>();
  const secrets = new Set<string>();
  return given.map(({ name, token, role, services }, i): Token => {
    if (names.has(name)) report(['tokens', i, 'name'], 'is the name of an earlier token; choose another');
    names.add(name);
    if (token === undefined) report(['tokens', i], 'has no secret; give token or tokenFile');
    if (token !== undefined && secrets.has(token)) {
      report(['tokens', i, 'token'], 'is the secret of an earlier token too; make another');
    }
    secrets.add(token ?? '');
    return { name, role, services, secret: token ?? '' };
  });
}

function warningsOf({
  listen,
  tokens,
  areMetricsOpen,
}: {
  readonly listen: Config['listen'];
  readonly tokens: readonly Token[];
  readonly areMetricsOpen: boolean;
}): string[] {
  if (isLoopback(listen.host)) return [];
  const warnings: string[] = [];
  const canRead = tokens.some(({ role }) => role !== 'agent');
  if (!canRead) {
    warnings.push(
      `listen.host ${listen.host} is not loopback and no token may read: nobody can; add one with role reader`,
    );
  }
  if (areMetricsOpen)
    warnings.push(`metrics.open shows every service's figures to whoever reaches ${listen.host}`);
  return warnings;
}

function inOrder(faults: readonly ConfigFault[]): ConfigFault[] {
  return faults.toSorted(
    (a, b) =>
      (a.position?.line ?? 0) - (b.position?.line ?? 0) ||
      (a.position?.column ?? 0) - (b.position?.column ?? 0),
  );
}

function defined<T extends object>(record: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

function freezeDeeply<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of value instanceof Map ? value.values() : Object.values(value)) freezeDeeply(inner);
  return Object.freeze(value);
}
