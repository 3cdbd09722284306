import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRedisStore } from '../../../server/store/redis/redis-store.ts';
import { freePort } from '../../support/free-port.ts';
import { type RunningRedis, startRedis } from '../../support/redis.ts';

describe('Redis over TLS', () => {
  let directory: string;
  let redis: RunningRedis;
  let url: string;
  let ca: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'roomwatch-tls-'));
    const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
    await makeCertificate(cert, key);
    ca = await readFile(cert, 'utf8');
    const tlsPort = await freePort();
    redis = await startRedis({
      config: {
        'tls-port': String(tlsPort),
        'tls-cert-file': cert,
        'tls-key-file': key,
        'tls-ca-cert-file': cert,
        'tls-auth-clients': 'no',
      },
    });
    url = `rediss://127.0.0.1:${tlsPort}`;
  });
  afterAll(async () => {
    await redis.stop();
    await rm(directory, { recursive: true });
  });

  it('opens when its certificate comes from an authority that is named', async () => {
    const store = await openRedisStore({ url, ca });
    await store.ping();
    await store.close();
  });

  it('does not open when nobody vouches for its certificate', async () => {
    await expect(openRedisStore({ url })).rejects.toThrow(/self-signed certificate/);
  });

  it('does not open without TLS', async () => {
    const plain = url.replace('rediss', 'redis');
    await expect(openRedisStore({ url: plain, connectTimeoutMs: 1_000 })).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_UNAVAILABLE' }),
    );
  });
});

async function makeCertificate(cert: string, key: string): Promise<void> {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '1',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
  ];
  try {
    await promisify(execFile)('openssl', args);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error('openssl is missing; install openssl (Debian: apt-get install openssl)');
  }
}
