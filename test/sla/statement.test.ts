import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, firstDifference } from '../../sla/canonical.ts';
import type { Exclusion } from '../../sla/exclusion.ts';
import { judgeMonth } from '../../sla/judge-month.ts';
import { read } from '../../sla/read.ts';
import {
  buildStatement,
  compareStatement,
  type ExclusionEntry,
  type Statement,
} from '../../sla/statement.ts';
import { type Entry, excluding, factsOf, losing, monthOf, termsOf } from './months.ts';

const record = { serviceEnd: '2026-07-03', monthlyFee: { amount: '100', currency: 'USD' } };
const terms = termsOf(record);
const month = monthOf('2026-07', terms);

function entered(exclusion: Exclusion, id: string, withdrawn?: ExclusionEntry['withdrawn']): ExclusionEntry {
  return { id, exclusion, enteredAtMs: month.endMs, ...(withdrawn && { withdrawn }) };
}

const entries: ExclusionEntry[] = [
  entered(excluding(month, 15, 18), 'e1'),
  entered(excluding(month, 30, 35), 'e2', { atMs: month.endMs + 1, by: 'cfo', reason: 'entered by mistake' }),
];

function inputOf(minutes: readonly Entry[], nowMs = month.endMs) {
  const facts = factsOf(month, minutes);
  facts.late[6] = 4;
  const exclusions = entries
    .filter(({ withdrawn }) => withdrawn === undefined)
    .map(({ exclusion }) => exclusion);
  return { service: 'acme', month, facts, terms, exclusions, nowMs };
}

const busy: Entry[] = [
  ...losing([6, 7]),
  { minute: 16, attempts: 9, failures: { network: 2 } },
  { minute: 19, attempts: 500, failures: { customer: 4, unknown: 1 } },
];
const input = inputOf(busy);
const statement = buildStatement('acme', judgeMonth(input), entries);
/** As it comes back from a file. */
const written = (): Statement => JSON.parse(canonicalize(statement)) as Statement;

describe('a statement', () => {
  it('carries the figures of the reading, and every window', () => {
    const { projection: _, openWindow: __, rolling: ___, service: ____, ...figures } = read(input);
    expect(statement.figures).toEqual(figures);
    expect(statement.rows).toHaveLength(3 * 288);
    expect(statement.rows[6]).toMatchObject({
      verdict: 'down',
      lateAttempts: 4,
      counted: { attempts: 1_000, failures: 500 },
    });
    expect(statement.rows[3]).toMatchObject({
      verdict: 'up',
      excludedMinutes: 3,
      excluded: { attempts: 9, failures: { network: 2 } },
    });
  });

  it('shows who excluded what, withdrawn ones with who withdrew them', () => {
    expect(statement.exclusions).toMatchObject([
      { id: 'e1', author: 'ops', clause: '4.12', enteredAt: '2026-07-03T16:00:00.000Z' },
      { id: 'e2', withdrawn: { by: 'cfo', reason: 'entered by mistake' } },
    ]);
    expect('withdrawn' in statement.exclusions[0]!).toBe(false);
  });

  it('agrees with itself, also after a journey through a file and for a month in progress', () => {
    expect(compareStatement(written())).toEqual({ ok: true });
    const early = inputOf(busy, month.startMs + 33 * 60_000);
    const unfinished = buildStatement('acme', judgeMonth(early), entries);
    expect(compareStatement(JSON.parse(canonicalize(unfinished)))).toEqual({ ok: true });
    expect(unfinished.figures.windows.remaining).toBe(3 * 288 - 6);
  });

  it('agrees with itself whatever the month held', () => {
    const minute = fc.record({
      minute: fc.nat(3 * 1_440 - 1),
      attempts: fc.integer({ min: 3, max: 200 }),
      failures: fc.record({ provider: fc.nat(1), unknown: fc.nat(1), network: fc.nat(1) }),
    });
    fc.assert(
      fc.property(fc.array(minute, { maxLength: 30 }), fc.nat(3 * 1_440), (minutes, at) => {
        const verdicts = judgeMonth(inputOf(minutes, month.startMs + at * 60_000));
        expect(compareStatement(buildStatement('acme', verdicts, entries))).toEqual({ ok: true });
      }),
      { numRuns: 25 },
    );
  });
});

describe('an altered statement', () => {
  it.each<[string, string, (altered: Alterable) => void]>([
    ['a verdict', 'rows[6].verdict', (s) => put(s, ['rows', 6, 'verdict'], 'up')],
    ['a failure', 'rows[7].counted.failures', (s) => put(s, ['rows', 7, 'failures', 'provider'], 501)],
    [
      'a count that the verdict rests on',
      'rows[7].counted.failures',
      (s) => put(s, ['rows', 7, 'counted', 'failures'], 499),
    ],
    ['an attempt', 'rows[6].counted.attempts', (s) => put(s, ['rows', 6, 'attempts'], 1_001)],
    [
      'an exclusion made longer',
      'rows[3].excludedMinutes',
      (s) => put(s, ['exclusions', 0, 'to'], '2026-06-30T16:35:00Z'),
    ],
    [
      'an exclusion put back in force',
      'rows[6].excludedMinutes',
      (s) => put(s, ['exclusions', 1, 'withdrawn'], undefined),
    ],
    ['the threshold', 'rows[6].verdict', (s) => put(s, ['terms', 'threshold'], '40')],
    ['the voucher', 'figures.voucher.amount', (s) => put(s, ['figures', 'voucher', 'amount'], '50.01')],
    ['the claim', 'figures.claim.deadline', (s) => put(s, ['figures', 'claim', 'deadline'], '2027-01-01')],
    ['the instant', 'rows[863].verdict', (s) => put(s, ['figures', 'asOf'], '2026-07-03T15:59:59.000Z')],
    ['lateness', 'figures.revisions[0].lateAttempts', (s) => put(s, ['rows', 6, 'lateAttempts'], 5)],
    ['a figure added', 'figures.note', (s) => put(s, ['figures', 'note'], 'trust me')],
  ])('is found out: %s, at %s', (_, path, alter) => {
    const altered = written() as unknown as Alterable;
    alter(altered);
    const check = compareStatement(JSON.parse(JSON.stringify(altered)));
    expect(check).toMatchObject({ ok: false });
    if (!check.ok) {
      expect(check.message).toMatch(/is .*; the rows, exclusions and terms give /);
      expect(check.path).toBe(path);
    }
  });

  it.each<[string, unknown]>([
    ['', null],
    ['', 'statement'],
    ['kind', { ...written(), kind: 'other' }],
    ['rows', { ...written(), rows: written().rows.slice(1) }],
    ['rows.0.attempts', { ...written(), rows: [{ ...written().rows[0], attempts: -1 }] }],
    [
      'rows[0]',
      {
        ...written(),
        rows: written().rows.map((row) => ({
          ...row,
          attempts: 0,
          failures: { ...row.failures, network: 1 },
        })),
      },
    ],
    ['terms.treshold', { ...written(), terms: { treshold: '99' } }],
    ['figures.month', { ...written(), figures: { ...written().figures, month: '2026-13' } }],
    ['figures.asOf', { ...written(), figures: { ...written().figures, asOf: 'now' } }],
    ['exclusions[0]', { ...written(), exclusions: [{ id: 'x', clause: '4.99' }] }],
  ])('that is no statement is refused at %j', (path, input) => {
    expect(compareStatement(input)).toMatchObject({ ok: false, path });
  });
});

type Alterable = Record<string, unknown>;

function put(target: Alterable, path: readonly (string | number)[], value: unknown): void {
  const [key, ...rest] = path;
  if (rest.length === 0) target[String(key)] = value;
  else put(target[String(key)] as Alterable, rest, value);
}

describe('the canonical text', () => {
  it('has sorted keys and nothing superfluous', () => {
    expect(canonicalize({ b: [1, { d: null, c: 'x"y' }], a: undefined, A: true })).toBe(
      '{"A":true,"b":[1,{"c":"x\\"y","d":null}]}',
    );
  });

  it('does not depend on the order in which keys were made, and can be read back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalize(value);
        expect(canonicalize(JSON.parse(text))).toBe(text);
        if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
          expect(canonicalize(Object.fromEntries(Object.entries(value).reverse()))).toBe(text);
        }
      }),
    );
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], [10n], [() => 1], [[undefined]]])(
    'refuses %s',
    (value) => expect(() => canonicalize(value)).toThrow(/CANONICAL_UNSUITED/),
  );
});

describe('the first difference', () => {
  it.each([
    [{ a: 1 }, { a: 1 }, null],
    [{ a: 1, b: 2 }, { b: 3, a: 2 }, 'a'],
    [{ a: [1, { c: 2 }] }, { a: [1, { c: 3 }] }, 'a[1].c'],
    [[1], [1, 2], '[1]'],
    [{ a: {} }, { a: [] }, 'a'],
    [1, '1', ''],
  ])('of %j and %j is at %j', (left, right, path) => {
    expect(firstDifference(left, right)?.path ?? null).toBe(path);
  });
});
