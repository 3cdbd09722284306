import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CAUSES } from '../../sla/cause.ts';
import { causeOf, codeLabel, createCauseLookup, TRTC_CAUSES } from '../../sla/causes.ts';
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

  it('answers each row with that row', () => {
    const wrong = TRTC_CAUSES.filter(
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

  it('answers a bare 5500 with its own row, not with one that says more', () => {
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

describe('the extra code of a 5500', () => {
  it.each([
    ['a rate-limited dispatch has a row of its own', 89333, 'SCHEDULE_RATE_LIMIT'],
    ["a server's code means what it means in a 5400", -10015, '(server node)'],
    ['also a positive one', 70001, lookup('web-v5', 5400, 70001).name],
    ['where no server answered, the step that failed has its row', 16460, 'SCHEDULE_FAILED'],
    ['a fault of the browser is its own', 16462, 'SPC_INITIALIZED_FAILED'],
    ['a number that nobody knows is the bare 5500', 99, 'OPERATION_FAILED'],
    ['0 is no code, and never a join without an answer', 0, 'OPERATION_FAILED'],
  ])('%s', (_, extraCode, name) => expect(lookup('web-v5', 5500, extraCode).name).toBe(name));

  it('is read like that on the web alone, and of no other code', () => {
    expect(lookup('web-v5', 5300, -10015)).toEqual(lookup('web-v5', 5300));
    expect(lookup('web-v4', 5500, -10015).name).toBe('');
  });

  it("follows the operator's row of a 5400, and prefers one of its own", () => {
    const own = {
      platform: 'web-v5',
      extraCode: -10015,
      name: 'OWN',
      attribution: 'network',
      clause: '',
    } as const;
    expect(createCauseLookup([{ ...own, code: 5400 }])('web-v5', 5500, -10015).name).toBe('OWN');
    expect(createCauseLookup([{ ...own, code: 5500 }])('web-v5', 5500, -10015).name).toBe('OWN');
    expect(createCauseLookup([{ ...own, code: 5500 }])('web-v5', 5400, -10015).name).toBe('(server node)');
  });
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
