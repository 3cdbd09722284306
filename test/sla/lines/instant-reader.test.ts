import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInstant } from '../../../sla/instant.ts';
import { ABSENT, SLACK_BYTES } from '../../../sla/lines/byte-text.ts';
import { InstantReader } from '../../../sla/lines/instant-reader.ts';

const reader = new InstantReader();

/** What a text says to the reader, of which all must be part of the instant. */
function read(text: string): number | undefined {
  const bytes = Buffer.concat([Buffer.from(`${text}"`), Buffer.alloc(SLACK_BYTES)]);
  const end = reader.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0);
  return end === ABSENT || end !== bytes.length - SLACK_BYTES - 1 ? undefined : reader.instantMs;
}

const two = (most: number) => fc.integer({ min: 0, max: most }).map((n) => String(n).padStart(2, '0'));
const instant = fc
  .tuple(
    fc.constantFrom('2026', '2028', '2001', '2099', '0099', '20x6'),
    fc.tuple(two(13), two(32), fc.constantFrom('T', 'T', 'T', 't', ' ')),
    fc.tuple(two(24), two(60), two(59)),
    fc.oneof(fc.constantFrom('', '', '.', ',5'), fc.stringMatching(/^\.[0-9]{1,10}$/)),
    fc.oneof(
      fc.constantFrom('Z', 'Z', 'z', '', '+0800', '-00:00', '+24:00', 'Zx'),
      fc.tuple(fc.constantFrom('+', '-'), two(24), two(60)).map(([sign, h, m]) => `${sign}${h}:${m}`),
    ),
  )
  .map(
    ([year, [month, day, t], time, fraction, zone]) =>
      `${year}-${month}-${day}${t}${time.join(':')}${fraction}${zone}`,
  );

describe('an instant that is read at byte level', () => {
  it('is the one that the full parser reads, whatever its fraction and zone', () => {
    let sound = 0;
    fc.assert(
      fc.property(instant, (text) => {
        const parsed = parseInstant(text);
        // A year below 100 is out of every bound.
        if (text.startsWith('0')) return;
        expect(read(text)).toBe(parsed);
        if (parsed !== undefined) sound += 1;
      }),
      { numRuns: 20_000 },
    );
    expect(sound).toBeGreaterThan(2_000);
  });

  it('is left to the full parser only in a leap second', () => {
    expect(read('2026-12-31T23:59:60Z')).toBeUndefined();
    expect(read('2026-12-31T23:59:59.999999999Z')).toBe(Date.UTC(2027, 0, 1) - 1);
  });
});
