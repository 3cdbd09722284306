import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINE_BYTES_MAX, Scanner, type ScanSink } from '../../server/replay/scanner.ts';
import { CAUSES } from '../../sla/cause.ts';
import { causeOf, createCauseLookup } from '../../sla/causes.ts';
import { IdHash } from '../../sla/lines/id-hash.ts';
import { parseOutcome } from '../../sla/outcome.ts';
import { writtenSomehow } from '../support/json-forms.ts';

const lookup = createCauseLookup();
const SERVICE = 'acme';

/** What came of a line, comparable between the scanner and the plain loop; an id as its hash. */
type Event =
  | { take: { startedAtMs: number; count: number; cause: string; id: string | undefined } }
  | { skip: true }
  | { refuse: { code: string; field: string; message: string; line: number } };

/** The loop that the scanner replaces: every line through JSON.parse and parseOutcome. */
function plainLoop(files: readonly Buffer[]): Event[] {
  return files.flatMap((file) => {
    const lines: Buffer[] = [];
    let at = 0;
    for (let feed = file.indexOf(10); feed >= 0; feed = file.indexOf(10, at)) {
      lines.push(file.subarray(at, feed));
      at = feed + 1;
    }
    lines.push(file.subarray(at));
    return lines.flatMap((bytes, index) => plainLine(bytes, index + 1));
  });
}

function plainLine(bytes: Buffer, line: number): Event[] {
  if (bytes.length > LINE_BYTES_MAX) {
    const message = `the line is longer than ${LINE_BYTES_MAX} bytes; write one outcome a line`;
    return [{ refuse: { code: 'LINE_TOO_LONG', field: '', message, line } }];
  }
  let text = bytes.toString('utf8');
  if (line === 1) text = text.replace(/^\uFEFF/, '');
  if (/^[ \t\r]*$/.test(text)) return [];
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    return [{ refuse: { code: 'OUTCOME_NOT_JSON', field: '', message: expect.any(String), line } }];
  }
  const parsed = parseOutcome(record, { service: SERVICE });
  if (!parsed.ok) return [{ refuse: { ...parsed.fault, line } }];
  const { outcome } = parsed;
  if (outcome.service !== SERVICE) return [{ skip: true }];
  const cause = outcome.result === 'failed' ? causeOf(outcome, lookup) : '';
  const hash = new IdHash();
  if (outcome.id !== undefined) hash.ofText(outcome.id);
  const id = outcome.id === undefined ? undefined : hashText(hash);
  return [{ take: { startedAtMs: outcome.startedAtMs, count: outcome.count, cause, id } }];
}

function hashText({ a, b }: IdHash): string {
  return `${a} ${b}`;
}

class Recorder implements ScanSink {
  readonly events: Event[] = [];
  take(outcome: Parameters<ScanSink['take']>[0]): void {
    const cause = outcome.result === 'ok' ? '' : outcome.cause;
    const { startedAtMs, count } = outcome;
    const id = outcome.id === undefined ? undefined : hashText(outcome.id);
    this.events.push({ take: { startedAtMs, count, cause, id } });
  }
  skip(): void {
    this.events.push({ skip: true });
  }
  refuse(fault: Parameters<ScanSink['refuse']>[0], line: number): void {
    this.events.push({ refuse: { code: fault.code, field: fault.field, message: fault.message, line } });
  }
}

function scan(files: readonly Buffer[], chunkBytes: number): { events: Event[]; unusualLines: number } {
  const sink = new Recorder();
  const scanner = new Scanner({ service: SERVICE, lookup, sink });
  for (const file of files) {
    for (let at = 0; at < file.length; at += chunkBytes) scanner.push(file.subarray(at, at + chunkBytes));
    scanner.endFile();
  }
  return { events: sink.events, unusualLines: scanner.unusualLines };
}

function expectSame(text: string | Buffer, chunkBytes = 64 * 1024): void {
  const file = Buffer.from(text);
  expect(scan([file], chunkBytes).events).toEqual(plainLoop([file]));
}

const GOOD = '{"service":"acme","at":"2026-11-03T02:00:00.120Z","result":"ok"}';

/** Lines that a byte-level reader is likely to read otherwise than a parser. */
const HOSTILE = [
  GOOD,
  '{"service":"acme","at":"2026-11-03T02:00:00.120Z","result":"failed","platform":"web-v5","code":5400,"extraCode":-10015,"region":"ap-guangzhou","app":"1400000123","id":"c0ffee","durationMs":812}',
  '{"service":"other","at":"2026-11-03T02:00:00.120Z","result":"ok"}',
  '{"service":"-other","at":"2026-11-03T02:00:00.120Z","result":"ok"}',
  '{"service":"acme","service":"other","at":"2026-11-03T02:00:00Z","result":"ok"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","result":"failed"}',
  '{"result":"failed","at":1,"at":"2026-11-03T02:00:00Z"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","count":1,"count":0}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","id":"a","id":"b"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","__proto__":{"service":"other"}}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","__proto__":"x","constructor":null,"toString":true}',
  '{"__proto__":null,"at":"2026-11-03T02:00:00Z","result":"failed"}',
  '{"\\u0073ervice":"other","at":"2026-11-03T02:00:00Z","result":"ok"}',
  '{"service":"\\u0061cme","at":"2026-11-03T02:00:00Z","result":"ok"}',
  '{"at":"2026-11-03T02:00:00Z","result":"o\\u006b","id":"\\ud83d"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","id":"a\\"b"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","id":""}',
  `{"at":"2026-11-03T02:00:00Z","result":"ok","id":"${'i'.repeat(128)}"}`,
  `{"at":"2026-11-03T02:00:00Z","result":"ok","id":"${'i'.repeat(129)}"}`,
  `{"at":"2026-11-03T02:00:00Z","result":"ok","region":"${'r'.repeat(64)}"}`,
  `{"at":"2026-11-03T02:00:00Z","result":"ok","region":"${'r'.repeat(65)}"}`,
  `{"service":"${'s'.repeat(64)}","at":"2026-11-03T02:00:00Z","result":"ok"}`,
  `{"service":"${'s'.repeat(65)}","at":"2026-11-03T02:00:00Z","result":"ok"}`,
  '{"service":"","at":"2026-11-03T02:00:00Z","result":"ok"}',
  '{"service":null,"at":"2026-11-03T02:00:00Z","result":"ok","code":null,"count":null,"id":null,"durationMs":null}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","platform":"","region":"","app":""}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","region":"caf\u00e9","app":"\u{1f600}","id":"\u00fc\u{1f600}"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","region":"caf\\u00e9","app":"\\ud83d\\ude00","id":"\\u00fc\\/\\""}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","region":"\\ud83d"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","region":"tab\\there"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","id":"c1\\u0085"}',
  '{"at":"2026-11-03T02:00:00Z","result":"failed","platform":"web\\u002dv5","code":5400}',
  '{"service":"\\u00e9","at":"2026-11-03T02:00:00Z","result":"ok"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","größe":1,"r\\u0065sult":"failed"}',
  ...[64, 65].map((units) => `{"at":1793671200120,"result":"ok","region":"${'é'.repeat(units)}"}`),
  ...[64, 65].map((units) => `{"at":1793671200120,"result":"ok","app":"${'\\u0061'.repeat(units)}"}`),
  ...[64, 65].map((pairs) => `{"at":1793671200120,"result":"ok","id":"${'\u{1f600}'.repeat(pairs)}"}`),
  '{"at":"2026-11-03T02:00:00Z","result":"ok","region":"del\u007f"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","region":"c1\u0085"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","note":"\u2028 \u2029 \u0085 \u00e9"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","note":"tab\there"}',
  // Values that are passed over.
  ...[
    ...['{}', '[]', '[1]', '[1,2]', '{"a":1}', '{"a":{"b":[true,false,null,"x"]}}', '[[[[[[[[[[1]]]]]]]]]]'],
    ...[
      '[1,]',
      '[,1]',
      '[1 2]',
      '[1',
      '[',
      '{"a":1,}',
      '{"a"}',
      '{"a":}',
      '{a:1}',
      '{"a" :1}',
      '[ 1 , 2 ]',
      '{"a": 1, "b": 2}',
    ],
    ...[
      '1.5',
      '-1.5e-3',
      '1E+2',
      '1.',
      '.5',
      '1e',
      '1e+',
      '01',
      '-',
      '-01',
      '+1',
      'NaN',
      'tru',
      'nul',
      'Infinity',
      '0x1',
    ],
    ...[
      '"\\n\\"\\/\\u00e9"',
      '"\\u12g4"',
      '"\\u12"',
      '"\\x"',
      '"\\"',
      '"\\',
      '"é\u007f"',
      '"\ud83d"',
      '"a\tb"',
      '"',
    ],
    '{"\\u0061":"\\ud83d\\ude00"}',
  ].map((value) => `{"at":"2026-11-03T02:00:00Z","result":"ok","user":${value}}`),
  ...['812.5', '0.25', '0.', '-0.5', '-0', '1.5e3', '1e400', '00.5', '12.5.5', '"1.5"', '[1]'].map(
    (value) => `{"at":"2026-11-03T02:00:00Z","result":"ok","durationMs":${value}}`,
  ),
  '{"result":"ok"}',
  '{"result":"ok","service":"other"}',
  ...[
    '1e3',
    '1E2',
    '-0',
    '0',
    '1.0',
    '1.5',
    '01',
    '-1',
    '+1',
    '1000000',
    '1000001',
    '.5',
    '5.',
    '0x10',
    '"3"',
    'NaN',
  ].map((number) => `{"at":"2026-11-03T02:00:00Z","result":"ok","count":${number}}`),
  ...[
    '1e3',
    '-0',
    '0',
    '-5400.0',
    '999999999999999',
    '9999999999999999',
    '9007199254740993',
    '-',
    '--1',
    '[1]',
    '{}',
  ].map(
    (number) =>
      `{"at":"2026-11-03T02:00:00Z","result":"failed","platform":"native","code":${number},"extraCode":${number}}`,
  ),
  ...['0', '-0', '-1', '812.25', '1e400', '1e2', '999999999999999', 'true'].map(
    (number) => `{"at":"2026-11-03T02:00:00Z","result":"ok","durationMs":${number}}`,
  ),
  ...[
    '"2026-11-03T02:00:00.1Z"',
    '"2026-11-03T02:00:00.12Z"',
    '"2026-11-03T02:00:00.1234567Z"',
    '"2026-11-03T02:00:00.Z"',
    '"2026-11-03t02:00:00z"',
    '"2026-11-03 02:00:00Z"',
    '"2026-11-03T02:00:00"',
    '"2026-11-03T02:00Z"',
    '"2026-11-03T23:59:60Z"',
    '"2026-11-03T24:00:00Z"',
    '"2026-11-03T02:60:00Z"',
    '"2026-11-03T02:00:00+08:00"',
    '"2026-11-03T02:00:00.500-05:30"',
    '"2026-11-03T02:00:00+0800"',
    '"2026-11-03T02:00:00+24:00"',
    '"2026-11-03T02:00:00+23:59"',
    '"2026-11-03T02:00:00 08:00"',
    '"2026-02-29T02:00:00Z"',
    '"2028-02-29T02:00:00Z"',
    '"2026-02-30T02:00:00Z"',
    '"2026-00-10T02:00:00Z"',
    '"2026-13-10T02:00:00Z"',
    '"2026-04-31T02:00:00Z"',
    '"2026-04-00T02:00:00Z"',
    '"2000-12-31T23:59:59.999Z"',
    '"2001-01-01T00:00:00.000Z"',
    '"2001-01-01T00:00:00+00:01"',
    '"2099-12-31T23:59:59.999Z"',
    '"2100-01-01T00:00:00.000Z"',
    '"2099-12-31T23:59:59-00:01"',
    '"0026-11-03T02:00:00Z"',
    '"+2026-11-03T02:00:00Z"',
    '"2026-11-03T02:00:00Z "',
    '""',
    '1793671200120',
    '1793671200',
    '1793671200120000',
    '1793671200120.5',
    '978307199999',
    '978307200000',
    '4102444799999',
    '4102444800000',
    '-1',
    'null',
    '"1793671200120"',
    'true',
  ].map((at) => `{"at":${at},"result":"ok"}`),
  ...['provider', 'customer', 'network', 'unknown', 'Provider', '', 'vendor'].map(
    (cause) => `{"at":"2026-11-03T02:00:00Z","result":"failed","cause":"${cause}"}`,
  ),
  '{"at":"2026-11-03T02:00:00Z","result":"ok","cause":"vendor"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","code":"5400"}',
  '{"at":"2026-11-03T02:00:00Z","result":"failed","platform":"web-v5","code":5400}',
  '{"at":"2026-11-03T02:00:00Z","result":"failed","platform":"Web-V5","code":5400}',
  '{"at":"2026-11-03T02:00:00Z","result":"failed","code":5400}',
  '{"at":"2026-11-03T02:00:00Z","result":"failed","platform":"web-v5","extraCode":70001}',
  '{"at":"2026-11-03T02:00:00Z","result":"OK"}',
  '{"at":"2026-11-03T02:00:00Z","result":true}',
  '{"at":"2026-11-03T02:00:00Z"}',
  '{"result":"ok"}',
  '{}',
  '{ }',
  '[]',
  'null',
  '42',
  '"text"',
  '{"at":"2026-11-03T02:00:00Z","result":"ok",}',
  '{"at":"2026-11-03T02:00:00Z" "result":"ok"}',
  '{,"at":"2026-11-03T02:00:00Z","result":"ok"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok"}}',
  '{"at":null,"result":"ok"}',
  '{"at":"2026-11-03T02:00:00Z","result":null}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","count":null,"count":2}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","count":nullx}',
  '{"at":"2026-11-03T02:00:00Z","result":"failed","platform":"web-v5","code":5400.0,"extraCode":-0.0}',
  ...['2.0', '2.00', '2.', '2.0e0', '2.01', '0.0', '-2.0'].map(
    (count) => `{"at":1793671200120.0,"result":"ok","count":${count}}`,
  ),
  '  {  "at"  :  "2026-11-03T02:00:00Z"  ,  "result" : "ok" , "x" : [ 1 , { } , { "a" : [ ] } ] }  \r',
  '{"at":"2026-11-03T02:00:00Z","result":"ok"} ',
  ' {"at":"2026-11-03T02:00:00Z","result":"ok"}',
  '{"at": "2026-11-03T02:00:00Z", "result": "ok", "count": 2}',
  '{"at" : "2026-11-03T02:00:00Z", "result":\t"ok"}',
  '{"at":"2026-11-03T02:00:00Z",  "result":"ok"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","extra":{"result":"failed"},"list":[1,{"at":0}]}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","extra":nulL}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","extra":true,"x":false,"y":null,"":"","z":-1}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok","extra":truefalse}',
  '{"At":"2026-11-03T02:00:00Z","result":"ok"}',
  '{"at ":"2026-11-03T02:00:00Z","result":"ok"}',
  '{"att":1,"at":"2026-11-03T02:00:00Z","results":2,"result":"ok","ids":"x","codes":"y"}',
  '{"at":"2026-11-03T02:00:00Z","result":"ok"',
  '{"at":"2026-11-03T02:00:00Z","result":"o',
  '{',
  '{"',
  'garbage',
  '',
  '   \t',
  '\r',
  '{"at":"2026-11-03T02:00:00Z","result":"ok"}\r',
  '{"at":"2026-11-03T02:00:00Z","result":"ok"}\r\r',
  '{"at":"2026-11-03T02:00:00Z",\r"result":"ok"}',
  '\ufeff{"at":"2026-11-03T02:00:00Z","result":"ok"}',
  '\ufeff',
  '\0',
];

describe('the scanner', () => {
  it('reads every hostile line as the plain loop does', () => {
    for (const line of HOSTILE) expectSame(`${line}\n`);
    expectSame(HOSTILE.join('\n'));
  });

  it('reads the same wherever the chunks are cut', () => {
    const file = Buffer.from(HOSTILE.slice(0, 40).join('\n'));
    const expected = plainLoop([file]);
    for (let cut = 0; cut <= file.length; cut++) {
      const sink = new Recorder();
      const scanner = new Scanner({ service: SERVICE, lookup, sink });
      scanner.push(file.subarray(0, cut));
      scanner.push(file.subarray(cut));
      scanner.endFile();
      if (JSON.stringify(sink.events) !== JSON.stringify(scan([file], file.length).events)) {
        expect(sink.events, `cut at ${cut}`).toEqual(expected);
      }
    }
    expect(scan([file], 1).events).toEqual(expected);
  }, 120_000);

  it('reads the same from chunks that were put into its own space', () => {
    const long = `{"at":"2026-11-03T02:00:00Z","result":"ok","note":"${'x'.repeat(LINE_BYTES_MAX)}"}`;
    const file = Buffer.from([...HOSTILE.slice(0, 40), long, GOOD.repeat(3), '', GOOD].join('\n'));
    const expected = plainLoop([file, file]);
    for (const most of [7, 1_000, Number.POSITIVE_INFINITY]) {
      const sink = new Recorder();
      const scanner = new Scanner({ service: SERVICE, lookup, sink });
      for (let copy = 0; copy < 2; copy++) {
        for (let at = 0; at < file.length; ) {
          const { space } = scanner;
          const bytes = Math.min(most, space.length, file.length - at);
          file.copy(space, 0, at, at + bytes);
          scanner.push(space.subarray(0, bytes));
          at += bytes;
        }
        scanner.endFile();
      }
      expect(sink.events).toEqual(expected);
    }
  });

  it('reads what is not UTF-8 as the plain loop does', () => {
    for (const field of ['region', 'id', 'note', 'service']) {
      for (const bytes of [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xc3, 0x22]]) {
        const [before, after] = `{"at":"2026-11-03T02:00:00Z","result":"ok","${field}":"x|"}\n`.split('|');
        expectSame(Buffer.concat([Buffer.from(before!), Buffer.from(bytes), Buffer.from(after!)]));
      }
    }
  });

  it('counts a line of one byte too many once, takes one of the most, and goes on after both', () => {
    const padded = (bytes: number) => {
      const empty = '{"at":"2026-11-03T02:00:00Z","result":"ok","note":""}';
      return empty.replace('""}', `"${'x'.repeat(bytes - empty.length)}"}`);
    };
    for (const chunkBytes of [64 * 1024, 1_000_003, 8 * 1024 * 1024]) {
      const lines = [padded(LINE_BYTES_MAX), padded(LINE_BYTES_MAX + 1), padded(3 * LINE_BYTES_MAX), GOOD];
      expectSame(lines.join('\n'), chunkBytes);
      expectSame(lines.toReversed().join('\n'), chunkBytes);
    }
  });

  it('begins each file at line 1, and takes a last line without a line feed', () => {
    const files = [`${GOOD}\n\n${GOOD}`, '\ufeffbad', `${GOOD}\nbad\n`].map((text) => Buffer.from(text));
    const { events } = scan(files, 7);
    expect(events).toEqual(plainLoop(files));
    expect(events.flatMap((event) => ('refuse' in event ? [event.refuse.line] : []))).toEqual([1, 2]);
  });

  it('reads canonical lines, in any order and with usual spacing, without parsing them in full', () => {
    const orders = [
      GOOD,
      GOOD.replaceAll(':"', ': "').replaceAll(',"', ', "'),
      HOSTILE[1]!,
      '{"result":"failed","durationMs":7,"id":"x","extraCode":-1,"code":0,"count":3,"cause":"network","app":"a","region":"r","platform":"web-v4","at":1793671200120,"service":"acme","custom":"t\u00e9xt","flag":true,"n":-12}',
      // As other serializers write them.
      '{ "at" : "2026-11-03T02:00:00.123456+00:00", "result" : "failed", "region" : "z\\u00fcrich", "code" : 5400.0, "id" : null }',
      '{"at":"2026-11-03T02:00:00.123456789Z","result":"ok","region":"zürich","id":"\\"ü\\"","cause":null,"größe":{ "a" : 1 }}',
    ];
    expect(scan([Buffer.from(`${orders.join('\n')}\n`)], 100).unusualLines).toBe(0);
  });

  it('reads whatever is generated as the plain loop does', () => {
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.integer({ min: 1, max: 300 }),
        (lines, chunkBytes) => {
          const file = Buffer.from(lines.join('\n'));
          expect(scan([file], chunkBytes).events).toEqual(plainLoop([file]));
        },
      ),
      { numRuns: 3_000 },
    );
  }, 120_000);

  it('reads a good line with any few bytes changed as the plain loop does', () => {
    const whole = Buffer.from(`${HOSTILE[1]}\n${GOOD}\n`);
    const edit = fc.tuple(
      fc.nat(whole.length - 1),
      fc.constantFrom(...Buffer.from('"\\{}[]:,.-+eEtT01259 \r\n\t\0zZ\x7f\x80\xff', 'latin1')),
    );
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        const file = Buffer.from(whole);
        for (const [at, byte] of edits) file[at] = byte;
        expect(scan([file], file.length).events).toEqual(plainLoop([file]));
      }),
      { numRuns: 20_000 },
    );
  }, 120_000);
});

/** Values for each field, mostly good, so that lines get far before something is odd. */
const value: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  service: fc.constantFrom('acme', 'other', 'acme.2', '', null, 7, 'a b'),
  at: fc.oneof(
    fc
      .date({
        min: new Date('2000-12-31T00:00:00Z'),
        max: new Date('2100-01-02T00:00:00Z'),
        noInvalidDate: true,
      })
      .map((date) => date.toISOString()),
    fc.integer({ min: 970_000_000_000, max: 4_110_000_000_000 }),
    fc.constantFrom('2026-11-03T02:00:00+08:00', '2026-11-03T02:00:00.5Z', '', null, 1.5),
  ),
  result: fc.constantFrom('ok', 'ok', 'failed', 'failed', 'OK', null, 1),
  platform: fc.oneof(
    fc.constantFrom('web-v5', 'web-v4', 'native', ''),
    fc.string({ unit: 'binary', maxLength: 70 }),
  ),
  region: fc.oneof(fc.constant('eu-frankfurt'), fc.string({ maxLength: 70 })),
  app: fc.oneof(fc.constant('1400000123'), fc.string({ unit: 'grapheme', maxLength: 70 })),
  code: fc.oneof(fc.constantFrom(5400, 5100, -3301, 0), fc.integer(), fc.double(), fc.constant('5400')),
  extraCode: fc.oneof(fc.constantFrom(-10015, 70001), fc.maxSafeInteger(), fc.constant(null)),
  cause: fc.constantFrom(...CAUSES, 'vendor', null),
  count: fc.oneof(fc.integer({ min: 0, max: 1_000_002 }), fc.double()),
  id: fc.oneof(fc.uuid(), fc.string({ maxLength: 130 }), fc.string({ unit: 'binary', maxLength: 130 })),
  durationMs: fc.oneof(fc.nat(), fc.double()),
  custom: fc.jsonValue({ maxDepth: 1 }),
};

const record: fc.Arbitrary<string> = fc
  .tuple(
    fc.shuffledSubarray(Object.keys(value)),
    fc.record(value),
    fc.boolean(),
    fc.constantFrom('', '', ' ', '  '),
    fc.array(fc.constantFrom(...Object.keys(value)), { maxLength: 1 }),
  )
  .map(([keys, values, isRequired, space, repeated]) => {
    const named = isRequired ? [...new Set(['at', 'result', ...keys])] : keys;
    const fields = [...named, ...repeated].map(
      (key) => `${JSON.stringify(key)}:${space}${JSON.stringify(values[key])}`,
    );
    return `{${fields.join(`,${space}`)}}`;
  });

const line: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: record },
  { weight: 4, arbitrary: writtenSomehow(fc.record(value, { requiredKeys: ['at', 'result'] })) },
  { weight: 1, arbitrary: record.map((text) => `${text}\r`) },
  { weight: 1, arbitrary: fc.tuple(record, fc.nat(200)).map(([text, length]) => text.slice(0, length)) },
  { weight: 1, arbitrary: fc.constantFrom(...HOSTILE) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);
