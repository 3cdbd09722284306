import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { explainCommand } from '../../server/commands/explain.ts';
import { statementCommand } from '../../server/commands/statement.ts';
import { termsCommand } from '../../server/commands/terms.ts';
import { verifyCommand } from '../../server/commands/verify.ts';
import { STATEMENT_FORMATS } from '../../server/statement/render.ts';
import { openStore } from '../../server/store/open-store.ts';
import type { Explanation } from '../../sla/explain.ts';
import type { Statement } from '../../sla/statement.ts';
import { parseTerms, presetTerms } from '../../sla/terms.ts';
import { ADMIN_TOKEN, bootDaemon, READER_TOKEN, type TestDaemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { fillBooks, type MonthBooks } from '../support/month-books.ts';
import { PROGRAMS } from '../support/program.ts';
import { type RunningRedis, startRedis } from '../support/redis.ts';
import { runCommand } from '../support/run-command.ts';

const at = (text: string) => Date.parse(text);
const NOW_MS = at('2026-11-20T12:03:21+08:00');
const now = () => NOW_MS;
const FAILING_MS = at('2026-11-10T14:00:00+08:00');

/** Until the 20th: nobody watched on the 6th, three windows lost on the 10th, one of them excluded. */
const BOOKS: MonthBooks = {
  service: 'acme',
  fromMs: at('2026-11-01T00:00:00+08:00'),
  toMs: at('2026-11-20T12:00:00+08:00'),
  failuresAt: (atMs) => {
    if (atMs >= at('2026-11-06T00:00:00+08:00') && atMs < at('2026-11-07T00:00:00+08:00')) return undefined;
    return atMs >= FAILING_MS && atMs < FAILING_MS + 15 * 60_000 ? [20, 3, 1, 0] : [0, 0, 0, 0];
  },
  late: new Map([[FAILING_MS / 60_000, 37]]),
  exclusionEvents: [
    {
      event: 'entered',
      id: 'e-1',
      by: 'ops',
      atMs: at('2026-11-12T00:00:00Z'),
      exclusion: {
        service: 'acme',
        from: '2026-11-10T14:05:00+08:00',
        to: '2026-11-10T14:10:00+08:00',
        clause: '4.10',
        author: 'ops',
        reason: 'announced cutover',
        noticeAt: '2026-11-01T00:00:00Z',
      },
    },
  ],
};
const MONTH = ['--service', 'acme', '--month', '2026-11'];
const AT = ['--service', 'acme', '--at', '2026-11-10T14:02:00+08:00'];

const folder = mkdtempSync(join(tmpdir(), 'statement-'));
const config = join(folder, 'roomwatch.yaml');

beforeAll(async () => {
  const store = await openStore({ directory: join(folder, 'books') });
  await fillBooks(store, BOOKS);
  await store.close();
  writeFileSync(config, JSON.stringify({ store: { directory: 'books' } }));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const state = (format: string, rest: readonly string[] = ['--config', config]) =>
  runCommand(statementCommand, [...MONTH, '--format', format, ...rest], { now });

describe('roomwatch statement', () => {
  it('prints the same bytes twice in every form, from the data directory', async () => {
    for (const format of STATEMENT_FORMATS) {
      const run = await state(format);
      expect(run).toMatchObject({ code: 0, stderr: '' });
      expect(await state(format)).toEqual(run);
    }
  });

  it('holds what the books hold', async () => {
    const statement = JSON.parse((await state('json')).stdout) as Statement;
    expect(statement.figures).toMatchObject({
      asOf: '2026-11-20T04:00:00.000Z',
      windows: { down: 2, excluded: 1, unmeasured: 288 },
      attempts: 18.5 * 1440 * 100,
      failures: { provider: 300, unknown: 45, customer: 15, network: 0 },
      revisions: [{ lateAttempts: 37 }],
    });
    expect(statement.exclusions).toMatchObject([
      { id: 'e-1', author: 'ops', enteredAt: '2026-11-12T00:00:00.000Z' },
    ]);
  });

  it('is text unless another form is asked for', async () => {
    const { stdout } = await runCommand(statementCommand, [...MONTH, '--config', config], { now });
    expect(stdout).toBe((await state('text')).stdout);
  });

  it('passes its own verification, also compressed and from standard input', async () => {
    for (const format of ['json', 'csv']) {
      const path = file(`statement.${format}`, (await state(format)).stdout);
      const run = await runCommand(verifyCommand, [path]);
      expect(run).toMatchObject({ code: 0, stderr: '' });
      expect(run.stdout).toMatch(
        /^verified: acme 2026-11 as of 2026-11-20T04:00:00.000Z: 8,640 windows, 2 lost, 99.976% observed, voucher 0 %; every verdict and figure follows from the rows; SHA-256 [0-9a-f]{64}\n$/,
      );
    }
  });

  it('fails its verification once a byte of it says something else', async () => {
    const { stdout } = await state('csv');
    const path = file('altered.csv', stdout.replace('announced cutover', 'announced cutoff'));
    const run = await runCommand(verifyCommand, [path]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(
      /^STATEMENT_ALTERED: sha256 is ".*"; the statement gives ".*": it was altered after it was made\n$/,
    );
  });

  it('refuses with one sentence', async () => {
    const cases: [readonly string[], string][] = [
      [['--month', '2026-11'], 'USAGE_INVALID: --service is missing; give it, like --service acme'],
      [['--service', 'acme'], 'USAGE_INVALID: --month is missing; give it, like --month 2026-11'],
      [[...MONTH, '--format', 'pdf'], 'USAGE_INVALID: --format is "pdf"; write json, csv, text, html'],
      [[...MONTH, 'json'], 'USAGE_INVALID: "json" is no option; everything here is given as --name VALUE'],
      [
        ['--service', 'acme', '--month', '2026-0', '--config', config],
        'MONTH_INVALID: --month: "2026-0" is not a month; write YYYY-MM, 2001-01 to 2099-12',
      ],
      [
        ['--service', 'acne', '--month', '2026-11', '--config', config],
        'SERVICE_UNKNOWN: no agent ever reported for "acne"; did you mean acme?',
      ],
      [
        ['--service', 'something-else', '--month', '2026-11', '--config', config],
        'SERVICE_UNKNOWN: no agent ever reported for "something-else"; the store knows acme',
      ],
      [
        [...MONTH, '--config', join(folder, 'none.yaml')],
        `CONFIG_INVALID: ${join(folder, 'none.yaml')} cannot be read (ENOENT); check the path, or start without --config for the defaults`,
      ],
      [
        [...MONTH, '--server', 'localhost:9470'],
        'USAGE_INVALID: --server is "localhost:9470"; write its address, like http://127.0.0.1:9470',
      ],
      [
        [...MONTH, '--server', 'http://127.0.0.1:9470', '--token-file', join(folder, 'none')],
        `TOKEN_UNREADABLE: --token-file ${join(folder, 'none')} cannot be read (ENOENT); check the path`,
      ],
    ];
    for (const [args, message] of cases) {
      expect(await runCommand(statementCommand, args, { now })).toEqual({
        code: 2,
        stdout: '',
        stderr: `${message}\n`,
      });
    }
  });

  it('says that there are no books where there is no store, and makes none', async () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const path = join(empty, 'roomwatch.yaml');
    writeFileSync(path, JSON.stringify({ store: { directory: 'books' } }));
    const run = await runCommand(statementCommand, [...MONTH, '--config', path], { now });
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/^STORE_MISSING: /);
    expect(() => readFileSync(join(empty, 'books'))).toThrow('ENOENT');
  });
});

describe('roomwatch explain', () => {
  it('says why a window was lost, on the contract clock', async () => {
    const run = await runCommand(explainCommand, [...AT, '--config', config], { now });
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toContain(
      'acme  2026-11-10 14:00 to 14:05 (+08:00)\nLOST, closed at 2026-11-10 14:08\n',
    );
    expect(run.stdout).toContain('115 failures of 495 counted attempts: down.');
    expect(run.stdout).toMatch(/^recorded +500 +100 +15 +5 +0$/m);
  });

  it('names the exclusion and its author', async () => {
    const args = ['--service', 'acme', '--at', '2026-11-10T14:09:59+08:00', '--config', config];
    const { stdout } = await runCommand(explainCommand, args, { now });
    expect(stdout).toMatch(/^excluded, closed/m);
    expect(stdout.replaceAll('\n  ', ' ')).toContain(
      'by ops: announced cutover, notice given 2026-11-01 08:00',
    );
  });

  it('prints the whole explanation as JSON', async () => {
    const { stdout } = await runCommand(explainCommand, [...AT, '--json', '--config', config], { now });
    expect(JSON.parse(stdout)).toMatchObject({ window: { verdict: 'down' }, rule: { clause: '1.5' } });
  });

  it('refuses an instant that is none, and one outside the service period', async () => {
    const bad = await runCommand(explainCommand, ['--service', 'acme', '--at', 'noon'], { now });
    expect(bad.stderr).toMatch(/^USAGE_INVALID: --at is "noon"; write RFC 3339/);
    const ended = join(folder, 'ended.yaml');
    writeFileSync(
      ended,
      JSON.stringify({ store: { directory: 'books' }, terms: { serviceEnd: '2026-10-31' } }),
    );
    const late = await runCommand(explainCommand, [...AT, '--config', ended], { now });
    expect(late).toMatchObject({ code: 2 });
    expect(late.stderr).toMatch(
      /^USAGE_INVALID: --at is in no service month: 2026-11 is outside the service period/,
    );
  });
});

describe('beside a running daemon', () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await bootDaemon({ folder, nowMs: now });
  });
  afterAll(() => daemon.stop());

  it('reads the data directory that the daemon owns', async () => {
    const run = await state('csv');
    expect(run).toMatchObject({ code: 0, stderr: '' });
  });

  it('asks the daemon, and gets the same bytes as from its store', async () => {
    for (const format of STATEMENT_FORMATS) {
      const remote = await state(format, ['--server', `${daemon.url}/`]);
      expect(remote.stderr).toBe('');
      expect(remote.stdout).toBe((await state(format)).stdout);
    }
  });

  it('explains through the daemon what it explains from the store', async () => {
    const remote = await runCommand(explainCommand, [...AT, '--json', '--server', daemon.url], { now });
    const own = await runCommand(explainCommand, [...AT, '--json', '--config', config], { now });
    expect(JSON.parse(remote.stdout)).toEqual(JSON.parse(own.stdout) as Explanation);
    const text = await runCommand(explainCommand, [...AT, '--server', daemon.url], { now });
    expect(text.stdout).toContain('acme  2026-11-10 06:00 to 06:05 (UTC)\nLOST');
  });

  it('sends the token of the environment or of a file, and passes on what the daemon answers', async () => {
    const ask = (env: Record<string, string>, rest: readonly string[] = []) =>
      runCommand(statementCommand, [...MONTH, '--format', 'csv', '--server', daemon.url, ...rest], {
        now,
        env,
      });
    expect((await ask({ ROOMWATCH_TOKEN: READER_TOKEN })).code).toBe(0);
    const wrong = await ask({ ROOMWATCH_TOKEN: 'wrong-token-0123456789' });
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(/^UNAUTHENTICATED: the token is not known here/);
    const path = file('token', `${ADMIN_TOKEN}\n`);
    expect((await ask({ ROOMWATCH_TOKEN: 'wrong-token-0123456789' }, ['--token-file', path])).code).toBe(0);
    const unknown = await runCommand(
      statementCommand,
      ['--service', 'none', '--month', '2026-11', '--server', daemon.url],
      { now },
    );
    expect(unknown.stderr).toMatch(/^NOT_FOUND: no agent ever reported for none/);
    const month = await runCommand(
      statementCommand,
      ['--service', 'acme', '--month', '2026-99', '--server', daemon.url],
      { now },
    );
    expect(month.stderr).toMatch(/^FIELD_INVALID: "2026-99" is not a month/);
  });

  it('says so when no daemon answers', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const run = await state('csv', ['--server', url]);
    expect(run).toEqual({
      code: 2,
      stdout: '',
      stderr: `DAEMON_UNREACHABLE: ${url} does not answer (ECONNREFUSED); start the daemon, or correct --server\n`,
    });
  });

  it('works as the installed program', async () => {
    const program = (args: readonly string[]) =>
      promisify(execFile)(process.execPath, [PROGRAMS.daemon, ...args], { maxBuffer: 2 ** 26 });
    const { stdout } = await program(['statement', ...MONTH, '--format', 'json', '--config', config]);
    const path = file('installed.json', stdout);
    expect((await program(['verify', path])).stdout).toMatch(/^verified: acme 2026-11/);
    expect((await program(['explain', ...AT, '--config', config])).stdout).toContain('LOST');
    expect((await program(['terms'])).stdout).toContain('preset: "trtc"');
  });
});

describe('from Redis', () => {
  let redis: RunningRedis;
  beforeAll(async () => {
    redis = await startRedis();
    const store = await openStore({ url: redis.url });
    await fillBooks(store, BOOKS);
    await store.close();
  });
  afterAll(() => redis.stop());

  it('gives the bytes that the data directory gives', async () => {
    const path = file('redis.yaml', JSON.stringify({ store: { url: redis.url } }));
    for (const format of STATEMENT_FORMATS) {
      expect((await state(format, ['--config', path])).stdout).toBe((await state(format)).stdout);
    }
  });
});

describe('roomwatch verify', () => {
  it('wants one statement that can be read', async () => {
    const none = await runCommand(verifyCommand, []);
    expect(none).toMatchObject({
      code: 2,
      stderr: 'USAGE_INVALID: name one statement, like: roomwatch verify 2026-11.json\n',
    });
    const missing = join(folder, 'missing.json');
    expect((await runCommand(verifyCommand, [missing])).stderr).toBe(
      `INPUT_UNREADABLE: ${missing} does not exist; check the path\n`,
    );
    const other = file('other.json', '{"kind":"reading"}');
    expect(await runCommand(verifyCommand, [other])).toMatchObject({
      code: 2,
      stderr: `STATEMENT_UNREADABLE: ${other} is not a statement: kind is "reading"; a statement has "roomwatch.statement"\n`,
    });
  });
});

describe('roomwatch terms', () => {
  it('prints a terms file that says what the preset says, with its source and date', async () => {
    for (const args of [[], ['trtc']]) {
      const run = await runCommand(termsCommand, args);
      expect(run).toMatchObject({ code: 0, stderr: '' });
      expect(run.stdout).toMatch(/^# Service Level Agreement of .*\n# as read on \d{4}-\d\d-\d\d; /);
      expect(parseTerms(parse(run.stdout))).toEqual({ ok: true, terms: presetTerms('trtc') });
      // Read by an older YAML too, to which a bare +08:00 is a number.
      expect(parse(run.stdout, { version: '1.1' })).toEqual(parse(run.stdout));
    }
  });

  it('names the presets to whoever asks for another', async () => {
    const run = await runCommand(termsCommand, ['twilio']);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toBe(
      'PRESET_UNKNOWN: "twilio" is not a preset; known: trtc; write any other contract out with "preset: none"\n',
    );
    expect((await runCommand(termsCommand, ['trtx'])).stderr).toContain('(did you mean trtc?)');
    expect((await runCommand(termsCommand, ['a', 'b'])).stderr).toBe(
      'USAGE_INVALID: 2 names are given; name one preset\n',
    );
  });
});
