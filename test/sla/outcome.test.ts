import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OUTCOME_LIMITS, parseOutcome, parseOutcomeText } from '../../sla/outcome.ts';

const at = '2026-11-03T02:00:00.120Z';
const least = { service: 'acme', at, result: 'ok' };

function accepted(record: unknown, defaults = {}) {
  const parsed = parseOutcome(record, defaults);
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return parsed.outcome;
}

function refused(record: unknown, defaults = {}) {
  const parsed = parseOutcome(record, defaults);
  if (parsed.ok) throw new Error(`was accepted: ${JSON.stringify(parsed.outcome)}`);
  return parsed.fault;
}

describe('an outcome', () => {
  it('is read with every field that applications report', () => {
    const record = {
      ...least,
      result: 'failed',
      platform: 'web-v5',
      code: 5400,
      extraCode: -10015,
      region: 'ap-guangzhou',
      app: '1400000123',
      id: 'c0ffee',
      durationMs: 812.5,
      cause: 'network',
      count: 3,
    };
    const { at: _, ...rest } = record;
    expect(accepted(record)).toEqual({ ...rest, startedAtMs: Date.UTC(2026, 10, 3, 2, 0, 0, 120) });
  });

  it('counts once and has empty labels when it says no more', () => {
    expect(accepted(least)).toEqual({
      service: 'acme',
      startedAtMs: Date.UTC(2026, 10, 3, 2, 0, 0, 120),
      result: 'ok',
      count: 1,
      platform: '',
      region: '',
      app: '',
    });
  });

  it('takes service and time from the defaults, and its own over them', () => {
    const defaults = { service: 'other', nowMs: 1_700_000_000_000 };
    expect(accepted({ result: 'ok' }, defaults)).toMatchObject({
      service: 'other',
      startedAtMs: 1_700_000_000_000,
    });
    expect(accepted(least, defaults)).toMatchObject({ service: 'acme' });
  });

  it('ignores unknown fields and takes null for left out', () => {
    const nulls = { count: null, platform: null, code: null, id: null, cause: null, durationMs: null };
    expect(accepted({ ...least, ...nulls, mood: 'fine', nested: { result: 'failed' } })).toEqual(
      accepted(least),
    );
  });

  it('is not changed by keys that name prototypes', () => {
    const text =
      '{"service":"acme","at":"2026-11-03T02:00:00Z","result":"ok","__proto__":{"count":99,"cause":"provider"},' +
      '"constructor":{"prototype":{"count":7}},"toString":1}';
    const parsed = parseOutcomeText(text, {});
    expect(parsed.ok && parsed.outcome.count).toBe(1);
    expect(parsed.ok && parsed.outcome.cause).toBeUndefined();
    expect(({} as Record<string, unknown>).count).toBeUndefined();
  });

  it.each([
    ['service', { service: 'a'.repeat(64) }, { service: 'a'.repeat(65) }],
    ['service', { service: '9.a_b-c' }, { service: '-a' }],
    ['count', { count: 1 }, { count: 0 }],
    ['count', { count: 1_000_000 }, { count: 1_000_001 }],
    ['count', { count: 2 }, { count: 2.5 }],
    ['region', { region: 'é'.repeat(64) }, { region: 'é'.repeat(65) }],
    ['platform', { platform: 'x y' }, { platform: 'x\ny' }],
    ['app', { app: '1400' }, { app: 1400 }],
    ['id', { id: 'x'.repeat(128) }, { id: 'x'.repeat(129) }],
    ['id', { id: 'x' }, { id: '' }],
    ['code', { code: -3301 }, { code: '-3301' }],
    ['code', { code: Number.MAX_SAFE_INTEGER }, { code: Number.MAX_SAFE_INTEGER + 1 }],
    ['extraCode', { extraCode: 0 }, { extraCode: 0.5 }],
    ['cause', { cause: 'customer' }, { cause: 'Customer' }],
    ['durationMs', { durationMs: 0 }, { durationMs: -1 }],
    ['durationMs', { durationMs: 1e12 }, { durationMs: Number.POSITIVE_INFINITY }],
    ['result', { result: 'failed' }, { result: 'failure' }],
    ['at', { at: 1_793_671_200_120 }, { at: 1_793_671_200_120.5 }],
    ['at', { at }, { at: '1793671200120' }],
  ])('has a bounded %s: %j is taken, %j is not', (field, good, bad) => {
    expect(accepted({ ...least, ...good })).toBeDefined();
    expect(refused({ ...least, ...bad })).toMatchObject({ code: 'OUTCOME_FIELD_INVALID', field });
  });

  it.each([
    ['service', { at, result: 'ok' }],
    ['result', { service: 'acme', at }],
    ['at', { service: 'acme', result: 'ok' }],
  ])('names the missing %s', (field, record) =>
    expect(refused(record)).toMatchObject({ code: 'OUTCOME_FIELD_MISSING', field }),
  );

  it.each([
    ['OUTCOME_NOT_JSON', '{"service":'],
    ['OUTCOME_NOT_JSON', ''],
    ['OUTCOME_NOT_OBJECT', '[]'],
    ['OUTCOME_NOT_OBJECT', 'null'],
    ['OUTCOME_NOT_OBJECT', '"acme"'],
  ])('answers %s to the line %j', (code, line) => {
    const parsed = parseOutcomeText(line, {});
    expect(parsed.ok ? '' : parsed.fault.code).toBe(code);
  });
});

describe('the time of an outcome', () => {
  it('includes the lower bound and excludes the upper one', () => {
    const { minMs, maxMs } = OUTCOME_LIMITS;
    expect(accepted({ ...least, at: minMs }).startedAtMs).toBe(minMs);
    expect(accepted({ ...least, at: maxMs - 1 }).startedAtMs).toBe(maxMs - 1);
    expect(refused({ ...least, at: minMs - 1 })).toMatchObject({ code: 'OUTCOME_TIME_OUT_OF_RANGE' });
    expect(refused({ ...least, at: maxMs })).toMatchObject({ code: 'OUTCOME_TIME_OUT_OF_RANGE' });
    expect(refused({ ...least, at: '1999-01-01T00:00:00Z' }).code).toBe('OUTCOME_TIME_OUT_OF_RANGE');
  });

  it('obeys narrower bounds of the caller', () => {
    const bounds = { minMs: 1_000, maxMs: 2_000 };
    expect(accepted({ ...least, at: 1_999 }, { bounds }).startedAtMs).toBe(1_999);
    expect(refused({ ...least, at: 2_000 }, { bounds }).code).toBe('OUTCOME_TIME_OUT_OF_RANGE');
  });

  it.each([
    [1_793_671_200, 'multiply by 1,000'],
    [1_793_671_200_120_000, 'divide by 1,000;'],
    [1_793_671_200_120_000_000, 'divide by 1,000,000'],
  ])('recognises %d as another unit', (value, fix) => {
    expect(`${refused({ ...least, at: value }).message};`).toContain(fix);
  });
});

describe('a refusal', () => {
  it('quotes at most eighty characters of a value', () => {
    const fault = refused({ ...least, result: 'x'.repeat(1_000_000) });
    expect(fault.message.length).toBeLessThan(200);
    expect(refused({ ...least, cause: { deep: 'x'.repeat(10_000) } }).message.length).toBeLessThan(200);
    expect(refused({ ...least, service: '\u0000'.repeat(80) }).message.length).toBeLessThan(300);
  });

  it('is never an exception, whatever the record', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (record) => {
        const parsed = parseOutcome(record, {});
        if (!parsed.ok) expect(parsed.fault.message).toMatch(/; |not /);
      }),
    );
  });

  it('leaves an accepted outcome as it was when it is written and read again', () => {
    const record = fc.record(
      {
        service: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
        result: fc.constantFrom('ok', 'failed'),
        startedAtMs: fc.integer({ min: OUTCOME_LIMITS.minMs, max: OUTCOME_LIMITS.maxMs - 1 }),
        count: fc.integer({ min: 1, max: 1_000_000 }),
        code: fc.integer(),
      },
      { requiredKeys: ['service', 'result', 'startedAtMs'] },
    );
    fc.assert(
      fc.property(record, ({ startedAtMs, ...rest }) => {
        const first = accepted({ ...rest, at: new Date(startedAtMs).toISOString() });
        const { startedAtMs: atMs, ...fields } = first;
        expect(accepted({ ...fields, at: atMs })).toEqual(first);
        expect(atMs).toBe(startedAtMs);
      }),
    );
  });
});
