import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { runCli } from '../../server/cli.ts';
import { startMailSink } from '../support/mail-sink.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'roomwatch-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const [out, err] = [text(stdout), text(stderr)];
  const code = await runCli(args, {
    stdin: Readable.from([]),
    stdout,
    stderr,
    env: {},
    now: () => Date.parse('2026-07-15T04:00:00Z'),
    signal: new AbortController().signal,
  });
  stdout.end();
  stderr.end();
  return { code, out: await out, err: await err };
}

const COMMANDS = [
  'serve',
  'check-config',
  'replay',
  'explain',
  'statement',
  'verify',
  'terms',
  'test-notify',
];

describe('roomwatch', () => {
  it('without a command says how it is used, on stderr, and ends with 2', async () => {
    const { code, out, err } = await run();
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/^Usage: roomwatch COMMAND/);
  });

  it('--help lists every command on stdout and ends with 0', async () => {
    const { code, out, err } = await run('--help');
    expect(code).toBe(0);
    expect(err).toBe('');
    for (const name of COMMANDS) expect(out).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
  });

  for (const name of COMMANDS) {
    it(`${name} --help says its usage and its exit codes, in lines that fit a terminal`, async () => {
      const { code, out, err } = await run(name, '--help');
      expect(code).toBe(0);
      expect(err).toBe('');
      expect(out).toMatch(new RegExp(`^Usage: roomwatch ${name}`));
      expect(out).toMatch(/Exit codes: 0 /);
      expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
    });
  }

  it('--version is that of the package, also after a command', async () => {
    expect(await run('--version')).toEqual({ code: 0, out: `${packageJson.version}\n`, err: '' });
    expect((await run('serve', '--version')).out).toBe(`${packageJson.version}\n`);
  });

  it('a mistyped command is answered with the nearest one', async () => {
    const { code, err } = await run('stament');
    expect(code).toBe(2);
    expect(err).toBe('USAGE_INVALID: "stament" is no command; did you mean statement?\n');
  });

  it('a command that resembles none points to the help', async () => {
    expect((await run('frobnicate')).err).toBe(
      'USAGE_INVALID: "frobnicate" is no command; see roomwatch --help\n',
    );
  });

  it('a mistyped option is answered with the nearest one', async () => {
    const { code, err } = await run('serve', '--confg', 'x');
    expect(code).toBe(2);
    expect(err).toMatch(/--confg is not an option here; did you mean --config\?/);
  });
});

describe('check-config', () => {
  it('a valid file ends with 0', async () => {
    const file = join(folder, 'good.yaml');
    writeFileSync(file, 'listen: {port: 0}\n');
    expect(await run('check-config', file)).toEqual({ code: 0, out: `${file} is valid\n`, err: '' });
  });

  it('a faulty one ends with 1 and every fault', async () => {
    const file = join(folder, 'bad.yaml');
    writeFileSync(file, 'listen: {prt: 0}\nlog: {level: loud}\n');
    const { code, out, err } = await run('check-config', file);
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(err.split('\n')).toEqual([
      `${file}:1:10 listen.prt is not a known key; did you mean port?`,
      `${file}:2:14 log.level is "loud"; write trace, debug, info, warn, error, fatal or silent`,
      `${file}: 2 faults`,
      '',
    ]);
  });

  it('without a file ends with 2', async () => {
    expect((await run('check-config')).code).toBe(2);
  });
});

describe('serve', () => {
  it('a faulty configuration ends with 2 and every fault, and nothing is started', async () => {
    const file = join(folder, 'bad.yaml');
    writeFileSync(file, 'listen: {prt: 0}\n');
    const { code, err } = await run('serve', '--config', file);
    expect(code).toBe(2);
    expect(err).toContain('did you mean port?');
  });

  it('a file without --config is asked about', async () => {
    const { code, err } = await run('serve', 'roomwatch.yaml');
    expect(code).toBe(2);
    expect(err).toContain('did you mean --config roomwatch.yaml?');
  });
});

describe('test-notify', () => {
  function configFor(port: number): string {
    const file = join(folder, 'roomwatch.yaml');
    const mail = { type: 'email', host: '127.0.0.1', port, tls: 'none', from: 'roomwatch@example.org' };
    const receivers = [
      { ...mail, name: 'on-call', to: ['on-call@example.org'] },
      { ...mail, name: 'boss', to: ['boss@example.org'] },
    ];
    writeFileSync(file, JSON.stringify({ alerting: { receivers } }));
    return file;
  }

  it('sends a message marked TEST to every receiver, and ends with 0', async () => {
    const sink = await startMailSink();
    try {
      const { code, out } = await run('test-notify', '--config', configFor(sink.port));
      expect(code).toBe(0);
      expect(out).toBe('on-call: sent\nboss: sent\n');
      expect(sink.mails.map((one) => one.mail.subject)).toEqual([
        expect.stringContaining('TEST'),
        expect.stringContaining('TEST'),
      ]);
    } finally {
      await sink.stop();
    }
  });

  it('ends with 1 when one refuses, and says which and why', async () => {
    const sink = await startMailSink();
    sink.replies.set('boss@example.org', { code: 550, text: 'no such mailbox' });
    try {
      const { code, out } = await run('test-notify', '--config', configFor(sink.port));
      expect(code).toBe(1);
      expect(out).toMatch(/^on-call: sent$/m);
      expect(out).toMatch(/^boss: refused \(rejected\): .*no such mailbox/m);
    } finally {
      await sink.stop();
    }
  });

  it('a receiver that is not configured ends with 2 and the nearest one', async () => {
    const { code, err } = await run('test-notify', '--config', configFor(1), '--receiver', 'on-cal');
    expect(code).toBe(2);
    expect(err).toBe('RECEIVER_UNKNOWN: --receiver "on-cal" is not configured; did you mean on-call?\n');
  });
});
