import { describe, expect, it } from 'vitest';
import { describeTarget, parseRedisUrl } from '../../../server/store/redis/url.ts';

describe('a Redis address', () => {
  it.each([
    [
      'redis://localhost',
      { kind: 'standalone', nodes: [{ host: 'localhost', port: 6379 }], tls: false, db: 0 },
    ],
    [
      'rediss://r.example:6380/3',
      { kind: 'standalone', nodes: [{ host: 'r.example', port: 6380 }], tls: true, db: 3 },
    ],
    ['redis://[::1]:7000/', { kind: 'standalone', nodes: [{ host: '::1', port: 7000 }], tls: false, db: 0 }],
    [
      'redis://:p%40ss%3A%2F@h',
      { kind: 'standalone', nodes: [{ host: 'h', port: 6379 }], tls: false, db: 0, password: 'p@ss:/' },
    ],
    [
      'redis+sentinel://u:p@a:1,b/books/2',
      {
        kind: 'sentinel',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'b', port: 26_379 },
        ],
        tls: false,
        db: 2,
        username: 'u',
        password: 'p',
        masterName: 'books',
      },
    ],
    [
      'rediss+cluster://a:1,[fe80::1]:2',
      {
        kind: 'cluster',
        nodes: [
          { host: 'a', port: 1 },
          { host: 'fe80::1', port: 2 },
        ],
        tls: true,
        db: 0,
      },
    ],
  ])('%s is understood', (url, target) => {
    expect(parseRedisUrl(url)).toEqual(target);
  });

  it.each([
    ['http://h', 'form'],
    ['redis:/h', 'form'],
    ['', 'form'],
    ['redis://', 'host'],
    ['redis://a:0', 'port'],
    ['redis://a:65536', 'port'],
    ['redis://a:1,b:2', 'several hosts'],
    ['redis://a/x', 'database'],
    ['redis://a/1/2', 'too many parts'],
    ['redis+sentinel://a:1', 'master'],
    ['redis+cluster://a:1/1', 'database 0'],
    ['redis://u:%zz@a', 'percent-encoded'],
    ['redis://secret@a', 'colon'],
    [`redis+cluster://${Array.from({ length: 65 }, () => 'a').join(',')}`, 'more than 64'],
  ])('%s is refused with the part that is wrong', (url, part) => {
    expect(() => parseRedisUrl(url)).toThrow(
      expect.objectContaining({ code: 'STORE_URL_INVALID', message: expect.stringContaining(part) }),
    );
  });

  it('is never repeated in an error or a description, because it may hold a password', () => {
    for (const url of ['redis://u:hunter2@a:99999', 'redis://hunter2@a', 'redis+cluster://u:hunter2@a/9']) {
      let message = '';
      try {
        parseRedisUrl(url);
      } catch (error) {
        message = String(error);
      }
      expect(message).toMatch(/^StoreFault: /);
      expect(message).not.toContain('hunter2');
    }
    expect(describeTarget(parseRedisUrl('redis://u:hunter2@a:1'))).toBe('Redis standalone at a:1');
  });
});
