import { describe, expect, it } from 'vitest';
import { readAnswer, readRetryAfterMs } from '../../../agent/browser/answer.ts';

describe('an answer of the agent', () => {
  it.each([
    [202, 'taken'],
    [200, 'later'],
    [204, 'later'],
    [302, 'later'],
    [399, 'later'],
    [400, 'refused'],
    [403, 'refused'],
    [404, 'refused'],
    [408, 'later'],
    [413, 'refused'],
    [429, 'later'],
    [499, 'refused'],
    [500, 'later'],
    [503, 'later'],
  ])('with status %d means %s', (status, kind) => {
    expect(readAnswer(status, {}, undefined).kind).toBe(kind);
  });

  it('may refuse records among others, and says why', () => {
    const rejected = [{ index: 1, error: { message: 'region is too long' } }, { index: 4 }];
    expect(readAnswer(202, { rejected }, undefined)).toEqual({
      kind: 'taken',
      refused: 2,
      message: 'region is too long',
    });
  });

  it('may ask for the records from one on again: those are not refused', () => {
    const rejected = [{ index: 1 }, { index: 3 }, { index: 4 }];
    expect(readAnswer(202, { rejected, repeatFrom: 3 }, undefined)).toMatchObject({ upTo: 3, refused: 1 });
  });

  it('may name a time', () => {
    expect(readAnswer(503, {}, 5_000)).toEqual({ kind: 'later', afterMs: 5_000 });
  });
});

describe('Retry-After', () => {
  const nowMs = Date.parse('2026-11-23T12:00:00Z');
  it.each([
    ['5', 5_000],
    ['0', undefined],
    ['Mon, 23 Nov 2026 12:00:07 GMT', 7_000],
    ['Mon, 23 Nov 2026 11:59:00 GMT', undefined],
    ['soon', undefined],
    ['', undefined],
    [null, undefined],
  ])('%s is %s ms', (header, ms) => expect(readRetryAfterMs(header, nowMs)).toBe(ms));
});
