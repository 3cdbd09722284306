import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { replayCommand } from '../../server/commands/replay.ts';
import type { Explanation } from '../../sla/explain.ts';
import type { Reading } from '../../sla/reading.ts';
import { PROGRAMS } from '../support/program.ts';
import { type CommandSurroundings, runCommand } from '../support/run-command.ts';

const vectors = join(import.meta.dirname, '../fixtures/vectors');
const folder = mkdtempSync(join(tmpdir(), 'replay-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Vector {
  readonly why: string;
  readonly service: string;
  readonly month: string;
  readonly terms: unknown;
  readonly exclusions: readonly unknown[];
  readonly expect: {
    readonly days: number;
    readonly windows: number;
    readonly attempts: number;
    readonly failures: Reading['failures'];
    readonly downtimeMinutes: number;
    readonly ratio: number;
    readonly display: string;
    readonly meetsTarget: boolean;
    readonly voucherPercent: number;
    readonly budget: Reading['budget'];
    readonly figures: Readonly<Record<'providerOnly' | 'providerAndUnknown' | 'raw', number>>;
    readonly lowVolumeDown: number;
    readonly lostWindows: readonly { start: string; attempts: number; failures: number }[];
  };
}

const names = readdirSync(vectors)
  .filter((name) => name.endsWith('.json'))
  .map((name) => basename(name, '.json'));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The command line that replays a vector. */
function argsOf(name: string, vector: Vector): string[] {
  return [
    join(vectors, `${name}.ndjson`),
    ...['--service', vector.service],
    ...['--month', vector.month],
    ...['--terms', file(`${name}.terms.json`, JSON.stringify(vector.terms))],
    ...['--exclusions', file(`${name}.exclusions.json`, JSON.stringify(vector.exclusions))],
    '--json',
  ];
}

function expectReading(reading: Reading, { expect: expected, service, month }: Vector): void {
  const { availability, figures, lostWindows } = reading;
  expect(reading).toMatchObject({
    service,
    month,
    period: { days: expected.days, windows: expected.windows, minutes: expected.days * 1440 },
    attempts: expected.attempts,
    failures: expected.failures,
    downtimeMinutes: expected.downtimeMinutes,
    voucherPercent: expected.voucherPercent,
    budget: expected.budget,
  });
  const { ratio, display, meetsTarget } = expected;
  expect(availability).toEqual({ ratio, display, meetsTarget });
  expect({
    providerOnly: figures.providerOnly.lost,
    providerAndUnknown: figures.providerAndUnknown.lost,
    raw: figures.raw.lost,
  }).toEqual(expected.figures);
  expect(reading.windows.lowVolumeDown).toBe(expected.lowVolumeDown);
  expect(lostWindows.map(({ start, attempts, failures }) => ({ start, attempts, failures }))).toEqual(
    expected.lostWindows,
  );
}

async function replay(args: readonly string[], surroundings: CommandSurroundings = {}) {
  return runCommand(replayCommand, args, surroundings);
}

async function readingOf(args: readonly string[], surroundings: CommandSurroundings = {}): Promise<Reading> {
  const run = await replay([...args, '--json'], surroundings);
  expect(run.code, run.stderr).toBe(0);
  return JSON.parse(run.stdout) as Reading;
}

const ACME = ['--service', 'acme', '--month', '2026-11'];
const outcome = (fields: Readonly<Record<string, unknown>>) =>
  `${JSON.stringify({ service: 'acme', at: '2026-11-03T02:00:00Z', result: 'ok', ...fields })}\n`;
const GOOD = file('good.ndjson', outcome({ count: 100 }));

describe('replaying the vectors', () => {
  it('finds them', () => expect(names.length).toBeGreaterThanOrEqual(11));

  for (const name of names) {
    const vector = JSON.parse(readFileSync(join(vectors, `${name}.json`), 'utf8')) as Vector;

    it(`${name}: ${vector.why}`, async () => {
      const run = await replay(argsOf(name, vector));
      expect(run).toMatchObject({ code: 0 });
      expectReading(JSON.parse(run.stdout) as Reading, vector);
    });

    it(`${name}: the installed program says the same`, async () => {
      const run = await promisify(execFile)(process.execPath, [
        PROGRAMS.daemon,
        'replay',
        ...argsOf(name, vector),
      ]);
      expectReading(JSON.parse(run.stdout) as Reading, vector);
    });
  }
});

describe('what is read', () => {
  const lines = readFileSync(join(vectors, 'nine-of-31-days.ndjson'));
  const MAY = ['--service', 'acme', '--month', '2026-05'];

  it('gives the same reading plain, compressed, under another name, from standard input and in pieces', async () => {
    const cut = lines.indexOf(10, lines.length / 2) + 1;
    const ways: [string[], CommandSurroundings][] = [
      [[file('may.ndjson', lines)], {}],
      [[file('may.ndjson.gz', gzipSync(lines))], {}],
      [[file('may.log', gzipSync(lines))], {}],
      [['-'], { stdin: Readable.from([lines.subarray(0, 7), lines.subarray(7)]) }],
      [['-'], { stdin: Readable.from([gzipSync(lines)]) }],
      [[file('a.ndjson', lines.subarray(cut)), file('b.gz', gzipSync(lines.subarray(0, cut)))], {}],
      [
        [
          file(
            'members.gz',
            Buffer.concat([gzipSync(lines.subarray(0, cut)), gzipSync(lines.subarray(cut))]),
          ),
        ],
        {},
      ],
    ];
    const readings = await Promise.all(ways.map(([files, around]) => readingOf([...files, ...MAY], around)));
    expect(readings[0]?.budget).toEqual({ allowed: 8, lost: 9, left: 0 });
    for (const reading of readings) expect(reading).toEqual(readings[0]);
  });

  it('reads a named pipe to its end', async () => {
    const pipe = join(folder, 'pipe');
    await promisify(execFile)('mkfifo', [pipe]);
    const [reading] = await Promise.all([
      readingOf([pipe, ...MAY]),
      promisify(execFile)('sh', ['-c', `cat "${join(vectors, 'nine-of-31-days.ndjson')}" > "${pipe}"`]),
    ]);
    expect(reading.budget.lost).toBe(9);
  });

  it('reads a file of many buffers to its last line, plain and compressed', async () => {
    const minutes = 20_000;
    const text = Array.from({ length: minutes }, (_, n) =>
      outcome({ at: Date.UTC(2026, 10, 1) + n * 60_000, id: `id-${n}`, count: 1 + (n % 7) }),
    ).join('');
    const attempts = Array.from({ length: minutes }, (_, n) => 1 + (n % 7)).reduce((sum, n) => sum + n);
    expect(text.length).toBeGreaterThan(1_500_000);
    for (const path of [file('long.ndjson', text), file('long.gz', gzipSync(text))]) {
      const reading = await readingOf([path, ...ACME]);
      expect(reading).toMatchObject({ attempts, windows: { up: minutes / 5 } });
    }
  });

  it('takes a record that names no service for the one asked about, and leaves others out', async () => {
    const path = file(
      'services.ndjson',
      outcome({ service: undefined }) + outcome({ service: 'other' }) + outcome({}),
    );
    const run = await replay([path, ...ACME, '--json']);
    expect((JSON.parse(run.stdout) as Reading).attempts).toBe(2);
    expect(run.stderr).toBe('1 record left out: of other services\n');
  });

  it('calls a window between the first and the last outcome idle, and any other unmeasured', async () => {
    const path = file(
      'gap.ndjson',
      outcome({ at: '2026-11-03T00:00:00Z' }) + outcome({ at: '2026-11-03T01:04:59Z' }),
    );
    const { windows, coverage } = await readingOf([path, ...ACME]);
    expect(windows).toMatchObject({ up: 2, idle: 11, unmeasured: 8640 - 13 });
    expect(coverage).toBeCloseTo(13 / 8640, 12);
  });

  it('takes outcomes of the months around as a sign that somebody was watching', async () => {
    const around = outcome({ at: '2026-10-01T00:00:00Z' }) + outcome({ at: '2026-12-20T00:00:00Z' });
    const run = await replay([file('around.ndjson', around), ...ACME, '--json']);
    const reading = JSON.parse(run.stdout) as Reading;
    expect(reading).toMatchObject({ attempts: 0, coverage: 1, windows: { idle: 8640 } });
    expect(run.stderr).toContain('2 records left out: not in 2026-11\n');
    expect(run.stderr).toContain('no outcome of acme in 2026-11; check --service, --month and the files\n');
  });

  it('reads as of --now with nothing that started then or later', async () => {
    const path = file(
      'now.ndjson',
      outcome({ at: '2026-11-03T02:00:59.999Z', count: 5 }) +
        outcome({ at: '2026-11-03T02:01:00Z', result: 'failed' }),
    );
    const run = await replay([path, ...ACME, '--now', '2026-11-03T10:01:00+08:00', '--json']);
    const reading = JSON.parse(run.stdout) as Reading;
    expect(reading).toMatchObject({ asOf: '2026-11-03T02:01:00.000Z', attempts: 5 });
    expect(reading.openWindow).toMatchObject({ start: '2026-11-03T02:00:00.000Z', attempts: 5, failures: 0 });
    expect(run.stderr).toBe('1 record left out: at or after --now\n');
  });

  it('counts an id once within the span and again beyond it', async () => {
    const at = (hours: number) => new Date(Date.UTC(2026, 10, 3) + hours * 3_600_000).toISOString();
    const reports = [0, 1, 24, 24.05, 49].map((hours) => outcome({ id: 'r-1', at: at(hours) })).join('');
    const path = file('ids.ndjson', reports);
    expect((await readingOf([path, ...ACME])).attempts).toBe(3);
    expect((await readingOf([path, ...ACME, '--id-memory', '30m'])).attempts).toBe(4);
    expect((await readingOf([path, ...ACME, '--id-memory', '3d'])).attempts).toBe(1);
  });

  it('explains one window instead of the month', async () => {
    const args = [join(vectors, 'worked-example.ndjson'), '--service', 'acme', '--month', '2019-03'];
    const asked = [...args, '--explain', '2019-03-10T10:02:00+08:00'];
    const run = await replay([...asked, '--json']);
    const explanation = JSON.parse(run.stdout) as Explanation;
    expect(explanation.window).toMatchObject({ verdict: 'down', counted: { attempts: 1000, failures: 20 } });
    const text = (await replay(asked)).stdout;
    expect(text).toContain('2019-03-10 10:00 to 10:05 (+08:00)\nLOST');
    for (const sentence of explanation.sentences) {
      expect(text.replaceAll('\n', ' ')).toContain(sentence);
    }
  });
});

describe('counts that no minute can hold', () => {
  it('are cut short and said so, and never leave more failures than attempts', async () => {
    const failed = (cause: string) => outcome({ result: 'failed', cause, count: 1_000_000 });
    const path = file('huge.ndjson', failed('provider').repeat(3_000) + failed('unknown').repeat(3_000));
    const run = await replay([path, ...ACME, '--json']);
    expect(run.code).toBe(0);
    expect(run.stderr).toBe(
      '1,706 records cut short: a minute holds at most 4,294,967,295 attempts; check the counts\n',
    );
    const { attempts, failures } = JSON.parse(run.stdout) as Reading;
    expect({ attempts, ...failures }).toMatchObject({
      attempts: 2 ** 32 - 1,
      provider: 3e9,
      unknown: 2 ** 32 - 1 - 3e9,
    });
  });
});

describe('bad records', () => {
  const path = file(
    'bad.ndjson',
    [outcome({}), '{"at":1}\n', outcome({ count: 0 }), 'x\n', outcome({ count: -1 }), '\n', outcome({})].join(
      '',
    ),
  );
  const counted = [
    `2 records refused, OUTCOME_FIELD_INVALID count; the first at ${path}:3: count is 0; write an integer from 1 to 1,000,000; split what is more`,
    `1 record refused, OUTCOME_FIELD_MISSING result; the first at ${path}:2: result is missing; write 'ok' or 'failed'`,
    `1 record refused, OUTCOME_NOT_JSON; the first at ${path}:4: "x" is not JSON; write one JSON object a line`,
  ];

  it('are counted by reason with the place of the first one, and cost nothing else', async () => {
    const run = await replay([path, ...ACME, '--json']);
    expect(run.code).toBe(0);
    expect(run.stderr.trimEnd().split('\n')).toEqual(counted);
    expect((JSON.parse(run.stdout) as Reading).attempts).toBe(2);
  });

  it('make the exit code 1 with --strict, and nothing else does', async () => {
    const strict = await replay([path, ...ACME, '--strict', '--json']);
    expect(strict.code).toBe(1);
    expect((JSON.parse(strict.stdout) as Reading).attempts).toBe(2);
    expect((await replay([GOOD, ...ACME, '--strict'])).code).toBe(0);
  });
});

describe('what cannot be read ends with exit code 2 and one sentence', () => {
  const lines = Buffer.from(outcome({}).repeat(2_000));
  const unreadable = file('secret.ndjson', outcome({}));
  chmodSync(unreadable, 0);
  mkdirSync(join(folder, 'directory'));
  const yaml = (name: string, text: string) => file(name, text);
  const missing = join(folder, 'missing.ndjson');

  const cases: [string, string[], string | RegExp][] = [
    ['no file', ACME, 'USAGE_INVALID: no file is named; name outcome files, or - for standard input'],
    [
      'no service',
      [GOOD, '--month', '2026-11'],
      'USAGE_INVALID: --service is missing; give it, like --service acme',
    ],
    [
      'a bad service',
      [GOOD, '--service', 'a b', '--month', '2026-11'],
      /^USAGE_INVALID: --service is "a b"; write 1 to 64/,
    ],
    [
      'no month',
      [GOOD, '--service', 'acme'],
      'USAGE_INVALID: --month is missing; give it, like --month 2026-11',
    ],
    [
      'a bad month',
      [GOOD, '--service', 'acme', '--month', '2026-13'],
      'MONTH_INVALID: --month: "2026-13" is not a month; write YYYY-MM, 2001-01 to 2099-12',
    ],
    [
      'a bad instant',
      [GOOD, ...ACME, '--now', 'tomorrow'],
      /^USAGE_INVALID: --now is "tomorrow"; write RFC 3339/,
    ],
    [
      'an instant of another month',
      [GOOD, ...ACME, '--explain', '2026-12-03T00:00:00Z'],
      'USAGE_INVALID: --explain is outside 2026-11; write an instant from 2026-10-31T16:00:00.000Z to 2026-11-30T16:00:00.000Z',
    ],
    [
      'a bad span',
      [GOOD, ...ACME, '--id-memory', '24'],
      'USAGE_INVALID: --id-memory is "24"; write 1m to 31d, like 90m, 24h or 2d',
    ],
    ['a span of nothing', [GOOD, ...ACME, '--id-memory', '0h'], /^USAGE_INVALID: --id-memory is "0h"/],
    ['a span beyond a month', [GOOD, ...ACME, '--id-memory', '32d'], /^USAGE_INVALID: --id-memory is "32d"/],
    [
      'a misspelt option',
      [GOOD, ...ACME, '--exclusion', 'x'],
      'USAGE_INVALID: --exclusion is not an option here; did you mean --exclusions?',
    ],
    [
      'an option without its value',
      [GOOD, '--service', 'acme', '--month'],
      'USAGE_INVALID: --month has no value; write --month VALUE, or --month=VALUE if it begins with a dash',
    ],
    [
      'a value for an option that takes none',
      [GOOD, ...ACME, '--json=yes'],
      'USAGE_INVALID: --json takes no value; leave out what follows the =',
    ],
    [
      'a missing file',
      [GOOD, missing, ...ACME],
      `INPUT_UNREADABLE: ${missing} does not exist; check the path`,
    ],
    [
      'a directory',
      [join(folder, 'directory'), ...ACME],
      /^INPUT_UNREADABLE: .*directory is a directory; name the files in it$/,
    ],
    [
      'the same file twice',
      [GOOD, GOOD, ...ACME],
      /^INPUT_UNREADABLE: .*good.ndjson is named twice; its outcomes would count double/,
    ],
    [
      'gzip that was cut off',
      [file('cut.gz', gzipSync(lines).subarray(0, -20)), ...ACME],
      /^INPUT_UNREADABLE: .*cut.gz ends in the middle of its gzip data; it was cut off, so copy it again$/,
    ],
    [
      'gzip that is damaged',
      [file('damaged.gz', Buffer.concat([gzipSync(lines).subarray(0, 12), Buffer.alloc(50, 7)])), ...ACME],
      /^INPUT_UNREADABLE: .*damaged.gz holds damaged gzip data; copy it again, and check it with gzip -t$/,
    ],
    [
      'a name that promises gzip',
      [file('plain.gz', lines), ...ACME],
      /^INPUT_UNREADABLE: .*plain.gz is not gzip data; rename it without .gz$/,
    ],
    [
      'missing terms',
      [GOOD, ...ACME, '--terms', missing],
      `TERMS_INVALID: ${missing} cannot be read (ENOENT); check the path`,
    ],
    [
      'terms with a bad value',
      [GOOD, ...ACME, '--terms', yaml('terms.yaml', 'preset: trtc\nthreshold: 99\n')],
      /^TERMS_INVALID: .*terms.yaml:2:12 threshold is 99; write a percentage as text/,
    ],
    [
      'terms that are no YAML',
      [GOOD, ...ACME, '--terms', yaml('tab.yaml', 'claim:\n\tcalendar: CN\n')],
      /^TERMS_INVALID: .*tab.yaml:2:1 /,
    ],
    [
      'a month outside the service period',
      [GOOD, ...ACME, '--terms', yaml('ended.yaml', 'serviceEnd: "2026-06-30"\n')],
      /^MONTH_INVALID: --month: 2026-11 is outside the service period/,
    ],
    [
      'exclusions that nobody signed',
      [
        GOOD,
        ...ACME,
        '--exclusions',
        yaml(
          'ex.yaml',
          '- {service: acme, from: "2026-11-03T00:00:00Z", to: "2026-11-03T01:00:00Z", clause: "4.2", reason: x}\n',
        ),
      ],
      /^EXCLUSIONS_INVALID: .*ex.yaml:1:3 \[0\] author is missing/,
    ],
  ];
  for (const [what, args, message] of cases) {
    it(what, async () => {
      const run = await replay(args);
      expect(run).toMatchObject({ code: 2, stdout: '' });
      if (typeof message === 'string') expect(run.stderr).toBe(`${message}\n`);
      else expect(run.stderr.replace(/\n$/, '')).toMatch(message);
    });
  }

  it('a file that may not be read', async () => {
    // Root may read everything, so that the refusal is asked of a user who may not.
    const run = await refusedToNobody(unreadable);
    expect(run.stderr).toBe(
      `INPUT_UNREADABLE: ${unreadable} may not be read by this user; change its permissions\n`,
    );
    expect(run.code).toBe(2);
  });
});

async function refusedToNobody(path: string): Promise<{ code: number | null; stderr: string }> {
  chmodSync(folder, 0o755);
  const isRoot = process.getuid?.() === 0;
  const child = spawn(process.execPath, [PROGRAMS.daemon, 'replay', path, ...ACME], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot && { uid: 65_534, gid: 65_534 }),
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  return { code, stderr };
}

describe('while it reads', () => {
  const chunks = Array.from({ length: 20 }, () => Buffer.from(outcome({}).repeat(50)));
  /** A clock that moves on by a second whenever it is asked. */
  const ticking = () => {
    let nowMs = 0;
    return () => {
      nowMs += 1_000;
      return nowMs;
    };
  };

  it('shows progress on a terminal only, and wipes it away', async () => {
    const around = { stdin: Readable.from(chunks), now: ticking(), stderrColumns: 60 };
    const { stderr } = await replay(['-', ...ACME], around);
    const [before, ...drawn] = stderr.split('\r\x1b[K');
    expect(before).toBe('');
    expect(drawn.length).toBeGreaterThan(chunks.length);
    expect(drawn.at(-1)).toBe('');
    for (const line of drawn.slice(0, -1)) expect(line).toMatch(/^.*lines\/s.{0,20}$/);
    expect(Math.max(...drawn.map((line) => line.length))).toBeLessThan(60);
    const quiet = await replay(['-', ...ACME], { stdin: Readable.from(chunks), now: ticking() });
    expect(quiet.stderr).toBe('');
  });

  it('stops when it is asked to, with what it had done and no reading', async () => {
    const stop = new AbortController();
    let given = 0;
    const endless = new Readable({
      read() {
        given += 1;
        if (given === 10) stop.abort();
        this.push(chunks[0]);
      },
    });
    const run = await replay(['-', ...ACME, '--json'], { stdin: endless, signal: stop.signal });
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^stopped after [\d,]+ lines; no reading was made\n$/);
    expect(endless.destroyed).toBe(true);
  });

  it('stops at Ctrl-C as a program', async () => {
    const child = spawn(process.execPath, [PROGRAMS.daemon, 'replay', '-', ...ACME], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => {});
    const exited = once(child, 'exit');
    // More than a pipe holds: when it is written, the program has read from it.
    await new Promise((written) => child.stdin.write(outcome({}).repeat(20_000), written));
    child.kill('SIGINT');
    const [code] = await exited;
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no reading was made'),
    });
  });
});
