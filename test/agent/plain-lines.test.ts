import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, NOT_UTF8 } from '../../agent/intake/line-splitter.ts';
import { PlainLines } from '../../agent/intake/plain-lines.ts';
import { IdHash } from '../../sla/lines/id-hash.ts';
import { parseOutcomeText } from '../../sla/outcome.ts';
import { writtenSomehow } from '../support/json-forms.ts';

const NOW_MS = 1_795_000_000_456;

const record = fc.record(
  {
    service: fc.constantFrom('acme', 'globex', 'a', null),
    at: fc.constantFrom(
      ...['2026-11-23T12:00:00Z', '2026-11-23T12:00:00.120+08:00', '2026-11-23T12:00:00.123456789-00:30'],
      ...[1_795_000_000_123, null],
    ),
    result: fc.constantFrom('ok', 'failed'),
    platform: fc.constantFrom('web-v5', 'n', '', null, 'ウェブ'),
    region: fc.constantFrom('ap-guangzhou', 'eu', 'ab', 'abc', 'zürich', '\u{1f30d}', 'a "b" \\ c'),
    app: fc.constantFrom('1400000123', '', null, 'é'.repeat(64)),
    code: fc.constantFrom(5400, -1, 0, null),
    extraCode: fc.constantFrom(-10015, 7, null),
    cause: fc.constantFrom('provider', 'network', null),
    count: fc.constantFrom(1, 7, 1_000_000, null),
    id: fc.constantFrom('c0ffee', 'a', 'é', 'x'.repeat(128), '\u{1f600}'.repeat(64), 'a\\"/', null),
    durationMs: fc.constantFrom(0, 12, 812.25, null),
    other: fc.oneof(fc.constantFrom('x', 3, true, null, 'ü'), fc.jsonValue({ maxDepth: 3 })),
    größe: fc.constant(1),
  },
  { requiredKeys: ['result'] },
);
const sound = writtenSomehow(record);
/** What serializers escape: beyond ASCII, and what HTML would take for its own. */
const usual = writtenSomehow(record, /[^ -~]|["\\/<>&'+]/);
/** A good line with a few characters changed, or no line at all. */
const spoilt = fc
  .tuple(sound, fc.array(fc.tuple(fc.nat(300), fc.constantFrom('"', '\\', '{', ',', ' ', 'é', '0', '\r'))))
  .map(([line, changes]) => {
    const characters = [...line];
    for (const [at, character] of changes.slice(0, 3)) characters[at % characters.length] = character;
    return characters.join('');
  });
const lines = fc.array(fc.oneof({ weight: 3, arbitrary: sound }, spoilt, fc.constantFrom('', ' ', 'null')), {
  minLength: 1,
  maxLength: 40,
});

/** Feeds a text in chunks cut anywhere. */
function feed(reader: PlainLines, text: string, cuts: readonly number[]): void {
  const bytes = Buffer.from(text);
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let at = 0;
  for (const place of [...places, bytes.length]) {
    reader.push(bytes.subarray(at, place));
    at = place;
  }
}

describe('a stream of outcome lines', () => {
  it('is read at byte level as the full parser reads it, wherever its chunks are cut', () => {
    fc.assert(
      fc.property(lines, fc.array(fc.nat(), { maxLength: 8 }), fc.boolean(), (texts, cuts, isEnded) => {
        let seen = 0;
        let plain = 0;
        const reader: PlainLines = new PlainLines({
          plain: (outcome, id) => {
            const parsed = parseOutcomeText(texts[seen]!, { service: 'none', nowMs: NOW_MS });
            if (!parsed.ok) {
              // The service's name is for the sink to judge.
              expect(parsed.fault.field).toBe('service');
              return false;
            }
            seen += 1;
            const { service, at, ...rest } = outcome;
            expect({ service: service ?? 'none', startedAtMs: at ?? NOW_MS, ...rest }).toEqual({
              service: parsed.outcome.service,
              startedAtMs: parsed.outcome.startedAtMs,
              result: parsed.outcome.result,
              platform: parsed.outcome.platform,
              region: parsed.outcome.region,
              count: parsed.outcome.count,
              code: parsed.outcome.code,
              extraCode: parsed.outcome.extraCode,
              cause: parsed.outcome.cause,
            });
            const hash = new IdHash();
            if (parsed.outcome.id !== undefined) hash.ofText(parsed.outcome.id);
            expect(id && [id.a, id.b]).toEqual(
              parsed.outcome.id === undefined ? undefined : [hash.a, hash.b],
            );
            plain += 1;
            return true;
          },
          other: (text) => {
            expect(text).toBe(texts[seen++]);
          },
        });
        feed(reader, texts.join('\n') + (isEnded ? '\n' : ''), cuts);
        const isCutOff = !isEnded && texts.at(-1) !== '';
        expect(reader.isInLine).toBe(isCutOff);
        reader.end();
        const complete = isEnded || isCutOff ? texts.length : texts.length - 1;
        expect(seen).toBe(complete);
        expect(reader.lines).toBe(complete);
        plainLines += plain;
      }),
      { numRuns: 1_500 },
    );
    // Else this test would prove nothing.
    expect(plainLines).toBeGreaterThan(1_000);
  });
  let plainLines = 0;

  it('is read at byte level in whatever form a serializer writes it', () => {
    fc.assert(
      fc.property(fc.array(usual, { minLength: 1 }), (texts) => {
        const others: unknown[] = [];
        const reader = new PlainLines({ plain: () => true, other: (text) => void others.push(text) });
        reader.push(Buffer.from(`${texts.join('\n')}\n`));
        expect(others).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('passes over a line that is too long, and says so once', () => {
    const others: (string | undefined)[] = [];
    let plain = 0;
    const reader = new PlainLines({
      plain: () => {
        plain += 1;
        return true;
      },
      other: (text) => void others.push(text),
    });
    const good = '{"at":1795000000123,"result":"ok"}';
    const long = `{"at":1795000000123,"result":"ok","other":"${'x'.repeat(200_000)}"}`;
    const justLong = `{"at":1795000000123,"result":"ok","other":"${'x'.repeat(64 * 1024 - good.length - 11)}"}`;
    reader.push(Buffer.from(`${good}\n${long}\n${good}\n${justLong}\n${good}\n`));
    expect(justLong.length).toBe(64 * 1024);
    expect(others).toEqual([undefined]);
    expect(plain).toBe(4);
    expect(reader.lines).toBe(5);
  });

  const MARK = Buffer.from('\uFEFF');
  const good = '{"at":1795000000123,"result":"ok"}';
  /** What both readers of streams make of the same bytes, in chunks of a size. */
  const textsOf = (bytes: Buffer, chunkBytes: number) => {
    const splitter = new LineSplitter();
    const split: (string | undefined)[] = [];
    const others: (string | undefined)[] = [];
    const reader = new PlainLines({ plain: () => false, other: (text) => void others.push(text) });
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      const chunk = bytes.subarray(at, at + chunkBytes);
      split.push(...splitter.push(chunk).map(({ text }) => text));
      reader.push(chunk);
    }
    const rest = splitter.rest();
    if (rest !== undefined) split.push(rest);
    reader.end();
    expect(others).toEqual(split);
    return others;
  };

  it('passes over a byte order mark before its first line, and over no other', () => {
    const bytes = Buffer.concat([MARK, Buffer.from(`${good}\n`), MARK, Buffer.from(`${good}\n`)]);
    for (const chunkBytes of [1, 2, 3, 1_000]) {
      expect(textsOf(bytes, chunkBytes)).toEqual([good, `\uFEFF${good}`]);
      expect(textsOf(Buffer.concat([MARK, Buffer.from(good)]), chunkBytes)).toEqual([good]);
    }
    // In the middle of a stream nothing begins.
    expect(new LineSplitter(7).push(Buffer.concat([MARK, Buffer.from('x\n')]))[0]?.text).toBe('\uFEFFx');
  });

  it('does not guess what a line says that is not UTF-8', () => {
    const bytes = Buffer.concat([
      Buffer.from('{"id":"\xe9"}\n{"id":"\xe8"}\n', 'latin1'),
      Buffer.from('{"id":"\u00e9"}\n{"id":"\uFFFD"}\n{"id":"'),
      Buffer.from([0xe9]),
    ]);
    for (const chunkBytes of [1, 3, 1_000]) {
      expect(textsOf(bytes, chunkBytes)).toEqual([
        NOT_UTF8,
        NOT_UTF8,
        '{"id":"é"}',
        '{"id":"\uFFFD"}',
        NOT_UTF8,
      ]);
    }
  });
});
