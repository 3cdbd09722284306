import { StoreFault } from '../errors.ts';
import type { RedisConnection } from './connection.ts';
import type { RedisStoreOptions } from './options.ts';

const OLDEST_VERSION = [6, 2] as const;

/**
 * Asks every server whether it can keep the books.
 * @returns sentences for the operator; empty when there is nothing to say
 * @throws StoreFault STORE_UNSUITABLE when it cannot: too old; with `durability: 'fsync'`, not flushing every
 * write; with `strict`, anything that would otherwise be a warning
 */
export async function checkSuitability(
  redis: RedisConnection,
  options: Pick<RedisStoreOptions, 'durability' | 'strict'>,
): Promise<string[]> {
  const warnings = new Set<string>();
  for (const info of (await redis.callServers('INFO')).map((text) => parseInfo(String(text)))) {
    assertVersion(info.get('redis_version') ?? '');
    for (const warning of warningsOf(info)) warnings.add(warning);
  }
  if (options.durability === 'fsync') await assertFsync(redis);
  const [first] = warnings;
  if (options.strict === true && first !== undefined) throw unsuitable(first);
  return [...warnings];
}

function warningsOf(info: ReadonlyMap<string, string>): string[] {
  const warnings: string[] = [];
  const policy = info.get('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction')
    warnings.push(`Redis may evict the books (maxmemory-policy ${policy}); set maxmemory-policy noeviction`);
  if (info.get('aof_enabled') === '0')
    warnings.push(
      'Redis keeps no append-only file, so a crash loses what came after its last snapshot; set appendonly yes',
    );
  return warnings;
}

function assertVersion(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor, oldestMinor] = OLDEST_VERSION;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw unsuitable(`Redis ${version} is too old; use ${OLDEST_VERSION.join('.')} or newer`);
}

async function assertFsync(redis: RedisConnection): Promise<void> {
  for (const name of ['appendonly', 'appendfsync']) {
    const wanted = name === 'appendonly' ? 'yes' : 'always';
    for (const reply of await redis.callServers('CONFIG', 'GET', name)) {
      const value = String((reply as unknown[])[1]);
      if (value !== wanted)
        throw unsuitable(
          `durability fsync needs ${name} ${wanted}, and Redis has ${value}; set it, or choose durability server`,
        );
    }
  }
}

function parseInfo(text: string): Map<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]));
}

function unsuitable(message: string): StoreFault {
  return new StoreFault('STORE_UNSUITABLE', message);
}
