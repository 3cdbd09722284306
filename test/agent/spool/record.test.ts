import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRecord, RECORD_TYPES, recordAt, type SpoolRecord } from '../../../agent/spool/record.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, scanSegment } from '../../../agent/spool/segment.ts';

const record: fc.Arbitrary<SpoolRecord> = fc.record({
  type: fc.constantFrom(...Object.values(RECORD_TYPES)),
  seq: fc.maxSafeNat(),
  wallMs: fc.maxSafeNat(),
  payload: fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
});

function segmentOf(records: readonly SpoolRecord[]): Buffer {
  const header = encodeSegmentHeader({
    kind: 'batch',
    producerId: '00000000-0000-4000-8000-000000000000',
    firstSeq: 1,
    before: 0,
    createdAtMs: 0,
    isMerged: false,
  });
  return Buffer.concat([header, ...records.map(encodeRecord)]);
}

describe('a record', () => {
  it('reads back as it was written', () => {
    fc.assert(
      fc.property(record, (one) => {
        const bytes = encodeRecord(one);
        expect(recordAt(bytes, 0)).toEqual({ status: 'record', record: one, end: bytes.length });
      }),
    );
  });

  it('with any bit turned is not taken for sound', () => {
    fc.assert(
      fc.property(record, fc.nat(), (one, place) => {
        const bytes = encodeRecord(one);
        const bit = place % (bytes.length * 8);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(recordAt(bytes, 0).status).not.toBe('record');
      }),
      { numRuns: 500 },
    );
  });

  it('cut anywhere is torn', () => {
    fc.assert(
      fc.property(record, fc.nat(), (one, place) => {
        const bytes = encodeRecord(one);
        const length = 1 + (place % (bytes.length - 1));
        expect(recordAt(bytes.subarray(0, length), 0).status).toBe('torn');
      }),
    );
  });
});

describe('a segment', () => {
  it('with damage in one record still gives all the others', () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 8 }),
        fc.nat(),
        fc.nat(),
        (records, at, place) => {
          const victim = at % records.length;
          const bytes = segmentOf(records);
          const start =
            SEGMENT_HEADER_BYTES +
            records.slice(0, victim).reduce((sum, one) => sum + encodeRecord(one).length, 0);
          const bit = place % (encodeRecord(records[victim]!).length * 8);
          bytes[start + (bit >> 3)]! ^= 1 << (bit & 7);
          const found = scanSegment(bytes).records.map((one) => one.record);
          expect(found).toEqual(records.filter((_, index) => index !== victim));
        },
      ),
      { numRuns: 300 },
    );
  });
});
