import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CAUSES } from '../../sla/cause.ts';
import { causeOf, codeLabel, createCauseLookup, resolveInnerCause, TRTC_CAUSES } from '../../sla/causes.ts';
import type { Outcome } from '../../sla/outcome.ts';

const lookup = createCauseLookup();
const failed: Outcome = {
  service: 'acme',
  startedAtMs: 0,
  result: 'failed',
  count: 1,
  platform: 'web-v5',
  region: '',
  app: '',
};

describe('the code table', () => {
  it('holds 377 rows, each with a known cause', () => {
    expect(TRTC_CAUSES.length).toBe(377);
    expect(TRTC_CAUSES.filter((row) => !CAUSES.includes(row.attribution))).toEqual([]);
  });

  it('answers each row that has no origin code with that row', () => {
    const wrong = TRTC_CAUSES.filter((row) => row.originCode === undefined).filter(
      (row) => lookup(row.platform, row.code, row.extraCode).cause !== row.attribution,
    );
    expect(wrong).toEqual([]);
  });

  it.each([
    ['a server node that could not be had', 'web-v5', 5400, -10015, 'provider'],
    ['an expired signature on the web', 'web-v5', 5400, 70001, 'customer'],
    ['an extra code nobody knows, by its code', 'web-v5', 5400, 424242, 'unknown'],
    ['a join that timed out', 'web-v5', 5400, 0, 'unknown'],
    ['an unsupported browser', 'web-v5', 5200, undefined, 'network'],
    ['a native server failure', 'native', -102000, undefined, 'provider'],
    ['a code nobody knows', 'web-v5', 123456, undefined, 'unknown'],
    ['a platform nobody knows', 'flutter', 5400, -10015, 'unknown'],
    ['no code at all', 'web-v5', undefined, undefined, 'unknown'],
    ['an extra code alone', 'web-v5', undefined, -10015, 'unknown'],
  ])('says of %s', (_, platform, code, extraCode, cause) => {
    expect(lookup(platform, code, extraCode).cause).toBe(cause);
  });

  it('answers a bare 5500 with its own row, not with one that has an origin', () => {
    expect(lookup('web-v5', 5500).name).toBe('OPERATION_FAILED');
  });

  it('keeps platforms apart: the same number is another error elsewhere', () => {
    expect(lookup('web-v5', 5400, -8).cause).toBe('customer');
    expect(lookup('native', -8).cause).toBe('unknown');
  });

  it('lets rows of the operator win', () => {
    const own = {
      platform: 'flutter',
      code: 1,
      name: 'OWN',
      attribution: 'customer',
      clause: '4.1',
    } as const;
    const widened = createCauseLookup([own, { ...own, platform: 'web-v5', code: 5400, extraCode: -10015 }]);
    expect(widened('flutter', 1)).toEqual({ cause: 'customer', clause: '4.1', name: 'OWN' });
    expect(widened('web-v5', 5400, -10015).cause).toBe('customer');
    expect(lookup('web-v5', 5400, -10015).cause).toBe('provider');
  });
});

describe('the cause of an outcome', () => {
  it('is the one that the application gave, before any table', () => {
    expect(causeOf({ ...failed, code: 5400, extraCode: -10015, cause: 'network' }, lookup)).toBe('network');
  });

  it('is looked up for the platforms of the table only', () => {
    expect(causeOf({ ...failed, code: 5400, extraCode: -10015 }, lookup)).toBe('provider');
    expect(causeOf({ ...failed, platform: 'rtc-x', code: 5400, extraCode: -10015 }, lookup)).toBe('unknown');
    expect(causeOf({ ...failed, platform: '__proto__', code: 5400 }, lookup)).toBe('unknown');
  });

  it('is always one of the four', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer(),
        fc.option(fc.integer(), { nil: undefined }),
        (platform, code, extra) => {
          expect(CAUSES).toContain(lookup(platform, code, extra).cause);
        },
      ),
    );
  });
});

describe('the error inside a 5500', () => {
  it.each([
    [
      'a rate-limited dispatch has a row of its own',
      { originCode: 16460, originExtraCode: 89333 },
      'SCHEDULE_RATE_LIMIT',
    ],
    [
      'the server code means what it means in a 5400',
      { originCode: 16385, originExtraCode: -10015 },
      '(server node)',
    ],
    [
      'it may stand in the message',
      { originCode: 16385, message: 'failed, code: -100013, gone' },
      'ACCOUNT_NO_MONEY',
    ],
    ['under either name', { message: 'errorCode:-10016' }, '(server internal timeout)'],
    ['an origin alone has its row', { originCode: 16462 }, 'SPC_INITIALIZED_FAILED'],
    [
      'an unknown server code falls back to the origin',
      { originCode: 16459, originExtraCode: 1 },
      'API_CALL_TIMEOUT',
    ],
    ['nothing at all is the bare 5500', {}, 'OPERATION_FAILED'],
    ['a number that is no code is the bare 5500', { message: 'code: 99' }, 'OPERATION_FAILED'],
  ])('%s', (_, inner, name) => expect(resolveInnerCause(inner, lookup).name).toBe(name));
});

describe('the label of a code', () => {
  it.each([
    [{ code: 5400 }, '5400'],
    [{ code: 5400, extraCode: -10015 }, '5400/-10015'],
    [{ code: 5400, extraCode: 0 }, '5400/0'],
    [{ extraCode: 7 }, ''],
    [{}, ''],
    [{ result: 'ok', code: 812 } as const, ''],
  ])('of %j is %j', (fields, label) => expect(codeLabel({ ...failed, ...fields })).toBe(label));
});
