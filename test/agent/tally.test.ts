import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutcomeLabels } from '../../agent/labels.ts';
import { Tally } from '../../agent/tally.ts';
import type { Cell } from '../../protocol/frame.ts';
import { CAUSES } from '../../sla/cause.ts';
import { CALLBACK_MEASURES } from '../../sla/facts.ts';

const label = fc.constantFrom('', 'a', 'b', 'Ω', 'a b', '"');
const callbacks: fc.Arbitrary<Cell> = fc
  .record({
    service: fc.constantFrom('acme', 'globex'),
    minute: fc.integer({ min: 0, max: 3 }),
    result: fc.constantFrom(...CALLBACK_MEASURES),
    n: fc.integer({ min: 1, max: 1_000 }),
  })
  .map((one): Cell => ({ ...one, region: '', platform: '', cause: '', code: '' }));
const outcomes: fc.Arbitrary<Cell> = fc
  .record({
    service: fc.constantFrom('acme', 'globex'),
    minute: fc.integer({ min: 0, max: 3 }),
    region: label,
    platform: label,
    cause: fc.constantFrom(...CAUSES, '' as const),
    code: label,
    n: fc.integer({ min: 1, max: 1_000 }),
  })
  .map(
    (one): Cell => ({
      ...one,
      result: one.cause === '' ? 'ok' : 'failed',
      code: one.cause === '' ? '' : one.code,
    }),
  );

const cell = fc.oneof({ weight: 4, arbitrary: outcomes }, { weight: 1, arbitrary: callbacks });

/** The plain way: one key of everything. */
function folded(cells: readonly Cell[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { n, ...rest } of cells) {
    const key = JSON.stringify(Object.entries(rest).sort());
    sums.set(key, (sums.get(key) ?? 0) + n);
  }
  return sums;
}

describe('a tally', () => {
  it('holds the sums of what was added, each cell once', () => {
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 60 }), (cells) => {
        const tally = new Tally();
        for (const one of cells) tally.add(one);
        expect(tally.cells).toBe(folded(cells).size);
        expect(tally.outcomes).toBe(cells.reduce((sum, { n }) => sum + n, 0));
        const list = tally.take();
        expect(list).toHaveLength(folded(cells).size);
        expect(folded(list)).toEqual(folded(cells));
        expect([tally.cells, tally.bytes, tally.outcomes, tally.list()]).toEqual([0, 0, 0, []]);
      }),
    );
  });

  it('holds the same of outcomes that share their labels as one object, over several takes', () => {
    const takes = fc.array(fc.array(outcomes, { maxLength: 40 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(takes, (portions) => {
        const series = new Map<string, OutcomeLabels>();
        const [tally, plain] = [new Tally(), new Tally()];
        for (const portion of portions) {
          for (const { minute, n, ...own } of portion) {
            const labels = series.get(JSON.stringify(own)) ?? own;
            series.set(JSON.stringify(own), labels);
            tally.addSeries(labels, minute, n);
            plain.add({ ...own, minute, n });
          }
          expect([tally.cells, tally.bytes, tally.outcomes]).toEqual([
            plain.cells,
            plain.bytes,
            plain.outcomes,
          ]);
          expect(folded(tally.take())).toEqual(folded(plain.take()));
        }
      }),
    );
  });

  it('names the services with outcomes: callbacks alone are no watch over one', () => {
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 8 }), (cells) => {
        const tally = new Tally();
        for (const one of cells) tally.add(one);
        const watched = cells.filter((one) => one.result === 'ok' || one.result === 'failed');
        expect(new Set(tally.services())).toEqual(new Set(watched.map((one) => one.service)));
      }),
    );
  });

  it('never says fewer bytes or cells than a frame needs for counts that one cell cannot hold', () => {
    const large = fc.record({
      ...{ service: fc.constantFrom('acme', 's'.repeat(64)), minute: fc.integer({ min: 0, max: 3 }) },
      ...{
        region: fc.constantFrom('', '\ud800'.repeat(64)),
        platform: fc.constantFrom('', '\ud800'.repeat(64)),
      },
      n: fc.integer({ min: 1, max: 5_000_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(large, { minLength: 1, maxLength: 40 }), (records) => {
        const tally = new Tally();
        for (const one of records) tally.add({ ...one, result: 'ok', cause: '', code: '' });
        const cells = tally.list();
        expect(tally.cells).toBeGreaterThanOrEqual(cells.length);
        expect(tally.bytes).toBeGreaterThanOrEqual(Buffer.byteLength(JSON.stringify(cells)));
      }),
    );
  });

  it('never says fewer bytes than its cells take in a frame', () => {
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 60 }), (cells) => {
        const tally = new Tally();
        for (const one of cells) tally.add({ ...one, minute: one.minute + 29_000_000, n: one.n * 1_000 });
        expect(tally.bytes).toBeGreaterThanOrEqual(Buffer.byteLength(JSON.stringify(tally.list())) - 2);
      }),
    );
  });
});
