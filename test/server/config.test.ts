import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../server/config/config.ts';
import { faultText } from '../../server/config/faults.ts';
import { loadConfig } from '../../server/config/load.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'roomwatch-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Env = Readonly<Record<string, string | undefined>>;

function load(text: string, env: Env = {}) {
  writeFileSync(join(folder, 'roomwatch.yaml'), text);
  return loadConfig({ file: 'roomwatch.yaml', env, cwd: folder });
}

/** Every fault as a person reads it. */
function faults(text: string, env: Env = {}): string[] {
  const loaded = load(text, env);
  return loaded.ok ? [] : loaded.faults.map(faultText);
}

function valid(text: string, env: Env = {}): Config {
  const loaded = load(text, env);
  if (!loaded.ok) throw new Error(loaded.faults.map(faultText).join('\n'));
  return loaded.config;
}

const SECRET = '0123456789abcdef0123456789abcdef';

describe('a faulty configuration is told where, what and how to mend it', () => {
  const cases: readonly [claim: string, text: string, ...expected: string[]][] = [
    [
      'a mistyped key names the nearest known one',
      'lisen:\n  port: 1\n',
      'roomwatch.yaml:1:1 lisen is not a known key; did you mean listen?',
    ],
    [
      'a mistyped key inside a mapping has its own line',
      'listen:\n  host: 127.0.0.1\n  poort: 9470\n',
      'roomwatch.yaml:3:3 listen.poort is not a known key; did you mean port?',
    ],
    [
      'a key that resembles none is answered with those that exist',
      'log:\n  colour: red\n',
      'roomwatch.yaml:2:3 log.colour is not a known key; known here: level',
    ],
    [
      'a tab in the indentation is called a tab',
      'listen:\n\tport: 1\n',
      'roomwatch.yaml:2:1 a tab is in the indentation; YAML takes spaces only, replace it by spaces',
    ],
    [
      'a key written twice is refused, not overwritten',
      'log: {level: info}\nlog: {level: warn}\n',
      'roomwatch.yaml:2:1 this key is written twice in the same mapping; delete one of them',
    ],
    [
      'an unclosed quotation mark is a fault of syntax',
      'log: {level: "info}\n',
      'roomwatch.yaml:2:1 a closing quotation mark, bracket or a colon after a key is missing here or just before',
    ],
    [
      'a number where text belongs',
      'listen: {host: 5}\n',
      'roomwatch.yaml:1:16 listen.host is 5; write text, in quotation marks',
    ],
    [
      'text where a number belongs',
      'listen: {port: "9470"}\n',
      'roomwatch.yaml:1:16 listen.port is "9470"; write a number, without quotation marks',
    ],
    [
      'a port above the last one',
      'listen: {port: 65536}\n',
      'roomwatch.yaml:1:16 listen.port is 65536, too large; the most is 65535',
    ],
    [
      'a port below the first one',
      'listen: {port: -1}\n',
      'roomwatch.yaml:1:16 listen.port is -1, too small; the least is 0',
    ],
    [
      'a word that is not one of the choices',
      'log: {level: verbos}\n',
      'roomwatch.yaml:1:14 log.level is "verbos"; write trace, debug, info, warn, error, fatal or silent',
    ],
    [
      'an unknown time zone',
      'terms:\n  timeZone: Mars/Olympus\n',
      'roomwatch.yaml:2:13 terms.timeZone is "Mars/Olympus"; write an offset in steps of 15 minutes, like "+08:00", or an IANA name, like Asia/Shanghai',
    ],
    [
      'a service that is no service name',
      'services:\n  ../etc: {}\n',
      'roomwatch.yaml:2:3 services.../etc is "../etc"; a service is 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit',
    ],
    [
      'an environment variable that is not set',
      `tokens: [{name: a, role: agent, token: "\${NOT_SET}"}]\n`,
      'roomwatch.yaml:1:40 tokens[0].token refers to the environment variable NOT_SET, which is not set; set it',
    ],
    [
      'a token without a secret',
      'tokens: [{name: a, role: agent}]\n',
      'roomwatch.yaml:1:10 tokens[0] has no secret; give token or tokenFile',
    ],
    [
      'two tokens of one name',
      `tokens:\n- {name: a, role: agent, token: ${SECRET}}\n- {name: a, role: reader, token: x${SECRET}}\n`,
      'roomwatch.yaml:3:10 tokens[1].name is the name of an earlier token; choose another',
    ],
    [
      'two tokens of one secret',
      `tokens:\n- {name: a, role: agent, token: ${SECRET}}\n- {name: b, role: reader, token: ${SECRET}}\n`,
      'roomwatch.yaml:3:34 tokens[1].token is the secret of an earlier token too; make another',
    ],
    [
      'two stores at once',
      'store: {url: "redis://127.0.0.1", directory: data}\n',
      'roomwatch.yaml:1:46 store.directory is given together with url; keep one of them',
    ],
    [
      'an option of Redis for the embedded store',
      'store: {directory: data, keyPrefix: x}\n',
      'roomwatch.yaml:1:37 store.keyPrefix is for Redis only; delete it, or give store.url',
    ],
    ['a list where a mapping belongs', '- listen\n', 'roomwatch.yaml:1:1 is an array; write a mapping'],
  ];
  for (const [claim, text, ...expected] of cases) {
    it(claim, () => expect(faults(text)).toEqual(expected));
  }

  it('says all of them at once, in the order of the file', () => {
    const text = `lisen: {}
listen:
  port: "80"
tokens:
  - {name: edge, tokenFile: missing.txt, role: admn}
services:
  acme: {terms: {windowMinutes: 7}}
limits: {regionsPerService: 0}
`;
    expect(faults(text).map((fault) => fault.split(' ').slice(0, 2).join(' '))).toEqual([
      'roomwatch.yaml:1:1 lisen',
      'roomwatch.yaml:3:9 listen.port',
      'roomwatch.yaml:5:29 tokens[0].tokenFile',
      'roomwatch.yaml:5:48 tokens[0].role',
      'roomwatch.yaml:7:33 services.acme.terms.windowMinutes',
      'roomwatch.yaml:8:29 limits.regionsPerService',
    ]);
  });

  it('says what is wrong across values and in other files also while the shape is wrong elsewhere', () => {
    const twice = `tokens:\n- {name: a, role: agent, token: ${SECRET}}\n- {name: a, role: agent, token: x${SECRET}}\n`;
    expect(faults(`${twice}exclusionsFile: nowhere.json\nlog: {level: loud}\n`)).toEqual([
      expect.stringContaining('nowhere.json cannot be read'),
      expect.stringContaining('tokens[1].name is the name of an earlier token'),
      expect.stringContaining('exclusionsFile names a file'),
      expect.stringContaining('log.level is "loud"'),
    ]);
  });

  it('never repeats a secret, wherever it came from', () => {
    writeFileSync(join(folder, 'short.txt'), 'hunter2-file\n');
    const text = `store: {url: "ftp://user:hunter2-url@host"}
tokens:
  - {name: a, role: agent, token: hunter2}
  - {name: b, role: agent, tokenFile: short.txt}
  - {name: c, role: agent, token: "\${SHORT}"}
`;
    const told = faults(text, { SHORT: 'hunter2-env' }).join('\n');
    expect(told).not.toContain('hunter2');
    expect(told).toContain('tokens[0].token');
    expect(told).toContain('tokens[1].token');
    expect(told).toContain('tokens[2].token');
    expect(faults('store: {url: "ftp://user:hunter2-url@host"}').join('\n')).not.toContain('hunter2');
  });

  it('one from a pipe has its relative paths where the command was given', () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    spawn('sh', ['-c', `echo 'store: { directory: books }' > ${pipe}`], { stdio: 'ignore' });
    const cwd = join(folder, 'elsewhere');
    const loaded = loadConfig({ file: pipe, env: {}, cwd });
    expect(loaded.ok && loaded.config.store).toEqual({ directory: join(cwd, 'books') });
  });

  it('a file that is not there is named', () => {
    const loaded = loadConfig({ file: 'nothing.yaml', env: {}, cwd: folder });
    expect(loaded.ok ? '' : loaded.faults.map(faultText)).toEqual([
      'nothing.yaml cannot be read (ENOENT); check the path, or start without --config for the defaults',
    ]);
  });
});

describe('exclusions files', () => {
  const EXCLUSION =
    '{"service":"acme","from":"2026-07-03T10:02:00+08:00","to":"2026-07-03T10:04:00+08:00","clause":"4.1","author":"ops","reason":"cutover"}';

  it('are read with the configuration, each entry judged by its own line', () => {
    writeFileSync(
      join(folder, 'exclusions.yaml'),
      `- ${EXCLUSION}\n- service: acme\n  from: yesterday\n  to: 2026-07-03T10:04:00+08:00\n  clause: 4.10\n  author: ops\n  reason: x\n`,
    );
    const told = faults('exclusionsFile: exclusions.yaml\n');
    expect(told).toHaveLength(2);
    expect(told[0]).toMatch(/exclusions\.yaml:3:9 \[1\] from is "yesterday"; write RFC 3339/);
    // Unquoted YAML reads 4.10 as a number.
    expect(told[1]).toMatch(/exclusions\.yaml:5:11 \[1\] clause is 4\.1; write 4\.1 to 4\.14 as text/);
  });

  it('of a service hold that service alone', () => {
    writeFileSync(join(folder, 'other.json'), `[${EXCLUSION}]`);
    const told = faults('services: {globex: {exclusionsFile: other.json}}\n');
    expect(told).toEqual([
      expect.stringMatching(/other\.json:1:13 \[0\]\.service is "acme"; this file is for globex only$/),
    ]);
  });

  it('that cannot be read are named where they are asked for', () => {
    const told = faults('exclusionsFile: nowhere.json\n');
    expect(told[0]).toMatch(/nowhere\.json cannot be read \(ENOENT\)/);
    expect(told[1]).toBe(
      'roomwatch.yaml:1:17 exclusionsFile names a file that cannot be read; correct the path',
    );
  });

  it('that are valid are in the configuration', () => {
    writeFileSync(join(folder, 'exclusions.json'), `[${EXCLUSION}]`);
    expect(valid('exclusionsFile: exclusions.json\n').exclusions).toEqual([
      expect.objectContaining({ service: 'acme', clause: '4.1' }),
    ]);
  });
});

describe('a valid configuration', () => {
  it('without a file is the embedded store in ./data, on loopback, with a token to be made', () => {
    const loaded = loadConfig({ file: null, env: {}, cwd: folder });
    expect(loaded).toMatchObject({
      ok: true,
      config: {
        file: null,
        listen: { host: '127.0.0.1', port: 9470 },
        store: { directory: join(folder, 'data') },
        generatedTokenFile: join(folder, 'data', 'agent-token'),
        terms: { preset: 'trtc', timeZone: '+08:00' },
      },
    });
  });

  it('of comments alone is the defaults too', () => {
    expect(valid('# nothing yet\n').listen.port).toBe(9470);
  });

  it('is frozen to its depth', () => {
    const config = valid(
      `tokens: [{name: a, role: agent, token: ${SECRET}}]\nservices: {acme: {terms: {}}}\n`,
    );
    for (const part of [
      config,
      config.listen,
      config.tokens,
      config.tokens[0],
      config.limits,
      config.terms,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('takes its store from REDIS_URL only where the file names none', () => {
    const env = { REDIS_URL: 'redis://10.0.0.1:6379' };
    expect(valid('{}', env).store).toMatchObject({ url: 'redis://10.0.0.1:6379' });
    expect(valid('store: {directory: books}', env).store).toEqual({ directory: join(folder, 'books') });
    expect(valid('store: {url: "redis://10.0.0.2"}', env).store).toMatchObject({ url: 'redis://10.0.0.2' });
    expect(faults('{}', { REDIS_URL: 'postgres://x' })[0]).toContain('store.url comes from REDIS_URL');
  });

  it('takes secrets from files beside it and from the environment', () => {
    writeFileSync(join(folder, 'edge.token'), `${SECRET}\n`);
    const config = valid(
      `tokens:\n- {name: a, role: agent, tokenFile: edge.token}\n- {name: b, role: admin, token: "\${ADMIN}"}\n`,
      { ADMIN: `env${SECRET}` },
    );
    expect(config.tokens.map((token) => token.secret)).toEqual([SECRET, `env${SECRET}`]);
    expect(config.generatedTokenFile).toBeNull();
  });

  it('keeps a literal ${ when it is written $${', () => {
    expect(faults('log: {level: "$${x}"}')[0]).toContain('log.level is "$${x}"');
  });

  it('gives a service its own terms and leaves the others the common ones', () => {
    const config = valid('terms: {timeZone: UTC}\nservices: {acme: {terms: {windowMinutes: 10}}}\n');
    expect(config.terms.timeZone).toBe('UTC');
    expect(config.termsByService.get('acme')?.windowMinutes).toBe(10);
    expect(config.termsByService.get('globex')).toBeUndefined();
  });

  it('warns when nobody could read what it serves', () => {
    expect(valid('listen: {host: 0.0.0.0}').warnings).toEqual([
      'listen.host 0.0.0.0 is not loopback and no token may read: nobody can; add one with role reader',
    ]);
    const readable = `listen: {host: 0.0.0.0}\ntokens: [{name: a, role: reader, token: ${SECRET}}]\n`;
    expect(valid(readable).warnings).toEqual([]);
  });
});
