import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readError, readLiveKitError, readRtcError } from '../../../agent/browser/failures.ts';

const origin = (code: number, extraCode: number, message = '') => ({ code, extraCode, message });

describe('an RtcError', () => {
  it.each([
    ['is its code and extra code', { code: 5400, extraCode: -10015 }, { code: 5400, extraCode: -10015 }],
    ['keeps 0, a join without an answer', { code: 5400, extraCode: 0 }, { code: 5400, extraCode: 0 }],
    ['need have no extra code', { code: 5998 }, { code: 5998 }],
    ['of 5400 is never looked into', { code: 5400, originError: origin(16388, -8) }, { code: 5400 }],
    ['of another thrower has no code', new TypeError('no'), {}],
  ])('%s', (_, error, failure) => expect(readRtcError(error)).toEqual(failure));
});

describe('an RtcError 5500', () => {
  it.each([
    ['carries what the server said', { originError: origin(16385, -10015, 'errorCode: 7') }, -10015],
    [
      'or what it said in the message of the inner error',
      {
        originError: origin(
          16460,
          0,
          'Failed to join room - schedule failed: no money code: -100013 <SCHEDULE_FAILED>',
        ),
      },
      -100013,
    ],
    [
      'under either name',
      { originError: origin(16385, 0, 'setup failure: (errorCode: 70001, errorMsg: x') },
      70001,
    ],
    [
      'or in its own message',
      { message: 'join failed code: -100021', originError: origin(16385, 0) },
      -100021,
    ],
    [
      'else the step that failed: dispatch',
      { originError: origin(16460, 0, 'schedule failed code: 0') },
      16460,
    ],
    [
      'the channel',
      { originError: origin(16385, 0, 'ws connect timeout <SIGNAL_CHANNEL_SETUP_FAILED 0x4001>') },
      16385,
    ],
    ['a time-out', { originError: origin(16459, 0) }, 16459],
    ['else nothing', {}, undefined],
    ['else nothing, whatever is there', { originError: 'gone', message: null }, undefined],
    ['keeps an extra code of its own', { extraCode: 5501, originError: origin(16385, -8) }, 5501],
    [
      'is not looked into beyond a thousand characters',
      { message: `${'x '.repeat(500)}code: -8` },
      undefined,
    ],
  ])('%s', (_, error, extraCode) => {
    expect(readRtcError({ code: 5500, ...error })).toEqual({
      code: 5500,
      ...(extraCode ? { extraCode } : {}),
    });
  });

  it('has the texts that the SDK itself writes', () => {
    const sdk = readFileSync(
      new URL('../../../node_modules/trtc-sdk-v5/trtc.esm.js', import.meta.url),
      'utf8',
    );
    // The templates of the messages above, and the names under which the inner error keeps its numbers.
    expect(sdk).toMatch(/`Failed to join room - \$\{\w+\} code: \$\{\w+\}`/);
    expect(sdk).toMatch(/\(errorCode: \$\{\w+\.errorCode\}, errorMsg: /);
    expect(sdk).toContain('SCHEDULE_FAILED=16460');
    expect(sdk).toContain('SIGNAL_CHANNEL_SETUP_FAILED=16385');
    expect(sdk).toContain('API_CALL_TIMEOUT=16459');
  });
});

describe('an error of LiveKit', () => {
  it.each([
    [
      'that refuses the token is the customer’s',
      { reason: 0, status: 401 },
      { code: 0, extraCode: 401, cause: 'customer' },
    ],
    ['that the application caused is, too', { reason: 3 }, { code: 3, cause: 'customer' }],
    ['about an unreachable server is for the table', { reason: 1, status: 503 }, { code: 1, extraCode: 503 }],
    ['about a time-out, too', { reason: 5 }, { code: 5 }],
    ['without a reason has the code alone', { code: 12 }, { code: 12 }],
  ])('%s', (_, error, failure) => {
    expect(readLiveKitError(Object.assign(new Error('x'), { code: 1 }, error))).toEqual(failure);
  });
});

describe('anything thrown', () => {
  it('is read without throwing, and to whole numbers only', () => {
    const inner = { code: fc.anything(), extraCode: fc.anything(), message: fc.anything() };
    const thrown = fc.oneof(
      fc.anything(),
      fc.record({
        code: fc.constant(5500),
        extraCode: fc.anything(),
        originError: fc.oneof(fc.anything(), fc.record(inner)),
        message: fc.anything(),
      }),
    );
    fc.assert(
      fc.property(thrown, (error) => {
        for (const read of [readError, readRtcError, readLiveKitError]) {
          const { code, extraCode } = read(error);
          for (const one of [code, extraCode])
            expect(one === undefined || Number.isSafeInteger(one)).toBe(true);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});
