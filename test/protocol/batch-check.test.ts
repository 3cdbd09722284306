import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBatch } from '../../protocol/batch-check.ts';
import { decodeAgentFrame } from '../../protocol/codec.ts';
import { batchSchema } from '../../protocol/frame.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { CALLBACK_MEASURES } from '../../sla/facts.ts';

/** A valid batch, some of whose places are then spoilt. */
const VALID = {
  type: 'batch',
  epoch: 3,
  seq: 17,
  digest: '0123456789abcdef',
  minute: 29_000_000,
  clockOffsetMs: 0,
  cells: [
    {
      service: 'acme',
      minute: 29_000_000,
      region: 'ap-guangzhou',
      platform: 'web-v5',
      result: 'ok',
      cause: '',
      code: '',
      n: 7,
    },
    {
      service: 'globex',
      minute: 28_999_999,
      region: '',
      platform: 'native',
      result: 'failed',
      cause: 'provider',
      code: '5400/-10015',
      n: 1,
    },
    {
      service: 'acme',
      minute: 28_999_998,
      region: '',
      platform: '',
      result: 'entered',
      cause: '',
      code: '',
      n: 2,
    },
  ],
  alive: ['acme', 'globex'],
  lost: { 'disk-full': 4 },
};

/** Values at and beyond the borders of every rule. */
const oddities = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    '',
    'ok',
    'failed',
    ...CALLBACK_MEASURES,
    'provider',
    'acme',
    'a{b}',
    '__proto__',
    'x'.repeat(64),
    'x'.repeat(65),
    'x'.repeat(32) + '\u{1f600}'.repeat(16),
    'x'.repeat(33) + '\u{1f600}'.repeat(16),
    '\ud800',
    'a\nb',
    'a\u007fb',
    'a\u0085b',
    'a\u00a0b',
    'a\u009fb',
    '0123456789abcdeF',
    0,
    -0,
    1,
    -1,
    0.5,
    LIMITS.countPerCell,
    LIMITS.countPerCell + 1,
    Number.MAX_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER + 1,
    1e308,
    [],
    {},
    [[]],
    new Array(LIMITS.servicesPerAgent).fill('acme'),
    new Array(LIMITS.servicesPerAgent + 1).fill('acme'),
    new Array(LIMITS.cellsPerBatch).fill(VALID.cells[0]),
    new Array(LIMITS.cellsPerBatch + 1).fill(VALID.cells[0]),
  ),
  fc.string({ unit: 'binary', maxLength: 70 }),
  fc.double(),
  fc.integer(),
  fc.jsonValue(),
);

type Path = readonly (string | number)[];

/** Every place of a JSON value. */
function placesOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.keys(value).flatMap((key) => placesOf(Reflect.get(value, key), [...path, key]))];
}

const places = placesOf(VALID);

interface Spoil {
  readonly path: Path;
  readonly kind: 'replace' | 'remove' | 'add' | 'repeat';
  readonly value: unknown;
}

const spoils = fc.record({
  path: fc.constantFrom(...places),
  kind: fc.constantFrom<Spoil['kind']>('replace', 'replace', 'replace', 'remove', 'add', 'repeat'),
  value: oddities,
});

function spoil(root: unknown, { path, kind, value }: Spoil): unknown {
  if (path.length === 0) return kind === 'replace' ? value : root;
  if (typeof root !== 'object' || root === null) return root;
  const copy: unknown = structuredClone(root);
  let parent = copy as object;
  for (const step of path.slice(0, -1)) {
    const next: unknown = Reflect.get(parent, step);
    if (typeof next !== 'object' || next === null) return root;
    parent = next;
  }
  const last = path.at(-1) as string;
  if (kind === 'remove') Reflect.deleteProperty(parent, last);
  else if (kind === 'add') Object.defineProperty(parent, `${last}2`, { value, enumerable: true });
  else if (kind === 'repeat' && Array.isArray(parent)) parent.push(Reflect.get(parent, last));
  else Reflect.set(parent, last, value);
  return copy;
}

/** What the schema and the check say of the same JSON text, as it would come off a socket. */
function verdicts(value: unknown): { readonly schema: boolean; readonly check: boolean } | null {
  const text = JSON.stringify(value);
  if (text === undefined) return null;
  return { schema: batchSchema.safeParse(JSON.parse(text)).success, check: isBatch(JSON.parse(text)) };
}

describe('the check of batches by hand', () => {
  it('accepts what the schema accepts and refuses what it refuses, one fault at a time', () => {
    fc.assert(
      fc.property(spoils, (one) => {
        const both = verdicts(spoil(VALID, one));
        if (both !== null) expect(both.check).toBe(both.schema);
      }),
      { numRuns: 5_000 },
    );
  });

  it('and with several faults', () => {
    fc.assert(
      fc.property(fc.array(spoils, { minLength: 2, maxLength: 4 }), (several) => {
        const both = verdicts(several.reduce(spoil, VALID as unknown));
        if (both !== null) expect(both.check).toBe(both.schema);
      }),
      { numRuns: 2_000 },
    );
  });

  it('meets both verdicts often enough to mean something', () => {
    const seen = { accepted: 0, refused: 0 };
    for (const one of fc.sample(spoils, { numRuns: 2_000, seed: 1 })) {
      const both = verdicts(spoil(VALID, one));
      if (both !== null) seen[both.schema ? 'accepted' : 'refused'] += 1;
    }
    expect(seen.accepted).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(100);
  });

  it('agrees on every JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const both = verdicts(value);
        if (both !== null) expect(both.check).toBe(both.schema);
      }),
    );
  });

  it.each([
    ['a __proto__ field of the batch', JSON.stringify(VALID).replace('{', '{"__proto__":{},')],
    ['a __proto__ field of a cell', JSON.stringify(VALID).replace('{"service"', '{"__proto__":1,"service"')],
    ['a __proto__ reason of lost', JSON.stringify(VALID).replace('"disk-full":4', '"__proto__":4')],
    ['a reason of 65 characters', JSON.stringify(VALID).replace('disk-full', 'x'.repeat(65))],
    ['a field given twice', JSON.stringify(VALID).replace('"seq":17', '"seq":17,"seq":18')],
    ['an infinite correction', JSON.stringify(VALID).replace('"clockOffsetMs":0', '"clockOffsetMs":1e999')],
  ])('agrees on %s', (_, text) => {
    expect(isBatch(JSON.parse(text))).toBe(batchSchema.safeParse(JSON.parse(text)).success);
  });
});

describe('a frame of an agent', () => {
  it('is read, whichever way it is checked', () => {
    const decoded = decodeAgentFrame(JSON.stringify(VALID));
    expect(decoded).toEqual({ ok: true, frame: VALID });
  });

  it.each([
    ['half a JSON text', '{"type":"batch"', 'FRAME_NOT_JSON', ''],
    ['an unknown type', '{"type":"hallo"}', 'FRAME_INVALID', 'type'],
    ['a spoilt cell', JSON.stringify(VALID).replace('"n":1', '"n":0'), 'FRAME_INVALID', 'cells.1.n'],
    [
      'a failure without a cause',
      JSON.stringify(VALID).replace('"provider"', '""'),
      'FRAME_INVALID',
      'cells.1.cause',
    ],
    [
      'a success with a cause',
      JSON.stringify(VALID).replace('"cause":""', '"cause":"network"'),
      'FRAME_INVALID',
      'cells.0.cause',
    ],
  ])('that is %s is refused with a code and the field', (_, text, code, field) => {
    expect(decodeAgentFrame(text)).toMatchObject({ ok: false, fault: { code, field } });
  });
});
