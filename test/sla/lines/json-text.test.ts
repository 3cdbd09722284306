import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ABSENT, SLACK_BYTES } from '../../../sla/lines/byte-text.ts';
import { JsonText } from '../../../sla/lines/json-text.ts';
import { isPlainText } from '../../../sla/text.ts';

const MOST = 12;
const reader = new JsonText(MOST);

/** What the bytes between the quotation marks of a string say, to the reader. */
function readText(content: Buffer): string | undefined {
  const bytes = Buffer.concat([
    Buffer.from('"'),
    content,
    Buffer.from('"\n'),
    Buffer.alloc(SLACK_BYTES, 0x22),
  ]);
  const end = reader.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 1);
  if (end === ABSENT) return undefined;
  expect(end).toBe(content.length + 1);
  return reader.toString();
}

/** The same to the platform's own parser, and to the rule for texts. */
function parseText(content: Buffer): string | undefined {
  if (!isUtf8(content)) return undefined;
  let text: unknown;
  try {
    text = JSON.parse(`"${content.toString('utf8')}"`);
  } catch {
    return undefined;
  }
  return isPlainText(text, MOST) && Buffer.from(text).toString() === text ? text : undefined;
}

/** Pieces of which a reader of escapes and of UTF-8 is likely to misread one beside another. */
const piece = fc.oneof(
  fc
    .constantFrom(
      ...'azé߿ࠀ€\uFEFF\uFFFD\uFFFF',
      '\u{10000}',
      '\u{10ffff}',
      '\u007f',
      '\u0080',
      '\u009f',
      '\u00a0',
    )
    .map((text) => Buffer.from(text)),
  fc
    .constantFrom(
      ...['\\"', '\\\\', '\\/', '\\n', '\\b', '\\x', '\\', '\\u', '\\u00e', '\\u00e9', '\\u00E9', '\\u0041'],
      ...['\\u0000', '\\u001f', '\\u0020', '\\u007f', '\\u009f', '\\u00a0', '\\uffff', '\\ug000', '\\u 041'],
      ...['\\ud83d', '\\ude00', '\\ud83d\\ude00', '\\uD800\\uDC00', '\\udbff\\udfff', '\\ud83d\\u0041'],
    )
    .map((text) => Buffer.from(text)),
  fc
    .constantFrom(
      ...[[0x80], [0xbf], [0xc0, 0x80], [0xc1, 0xbf], [0xc3], [0xe0, 0x9f, 0xbf], [0xe2, 0x82]],
      ...[
        [0xed, 0x9f, 0xbf],
        [0xed, 0xa0, 0x80],
        [0xed, 0xbf, 0xbf],
        [0xf0, 0x8f, 0xbf, 0xbf],
      ],
      ...[[0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xf8], [0xff], [0x09], [0x00]],
    )
    .map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 0, max: 255 }).map((byte) => Buffer.of(byte)),
);

describe('a string of JSON that is read at byte level', () => {
  it('says what JSON.parse says, when that is sound and plain text, and nothing else', () => {
    let sound = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const content = Buffer.concat(pieces);
        // The string would end there.
        if (/(?<!\\)"|\n/.test(content.toString('latin1').replaceAll('\\\\', ''))) return;
        const text = readText(content);
        expect(text).toBe(parseText(content));
        if (text !== undefined) sound += 1;
      }),
      { numRuns: 20_000 },
    );
    expect(sound).toBeGreaterThan(2_000);
  });

  it('says what it says for every sequence of two bytes, and around every limit of three and four', () => {
    const ends = [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0];
    for (let first = 0x80; first < 0x100; first += 1) {
      for (let second = 0x80; second < 0x100; second += 1) {
        const two = Buffer.of(first, second);
        expect(readText(two)).toBe(parseText(two));
      }
      for (const second of ends)
        for (const third of ends)
          for (const fourth of [0x41, ...ends]) {
            const content = Buffer.of(first, second, third, fourth);
            expect(readText(content)).toBe(parseText(content));
          }
    }
  });

  it('says what it says for every escape of a UTF-16 unit', () => {
    for (let unit = 0; unit < 0x1_0000; unit += 1) {
      const content = Buffer.from(`\\u${unit.toString(16).padStart(4, '0')}`);
      if (readText(content) !== parseText(content))
        expect(readText(content), `${content}`).toBe(parseText(content));
    }
  });

  it('has at most so many UTF-16 units, of which a character beyond the first 65,536 is two', () => {
    for (const [text, isSound] of [
      ['€'.repeat(MOST), true],
      ['€'.repeat(MOST + 1), false],
      ['\u{1f600}'.repeat(MOST / 2), true],
      [`${'\u{1f600}'.repeat(MOST / 2)}a`, false],
      [`a${'\u{1f600}'.repeat(MOST / 2)}`, false],
      ['', true],
    ] as const) {
      expect(readText(Buffer.from(text))).toBe(isSound ? text : undefined);
    }
  });
});
