import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cell } from '../../protocol/frame.ts';
import { Group, type GroupRules } from '../../server/ingest/group.ts';
import type { Lane } from '../../server/ingest/lane.ts';
import { type Arrival, Session, type Share, type Track } from '../../server/ingest/session.ts';
import { APPLY_BOUNDS } from '../../server/store/store.ts';
import { CAUSES } from '../../sla/cause.ts';
import { COUNTER_MAX, MEASURE_INDEX } from '../../sla/facts.ts';
import { failedCell, cell as okCell } from '../support/raw-agent.ts';

const NOW_MINUTE = 29_000_003;
const NOW_MS = NOW_MINUTE * 60_000 + 20_000;
const RULES: GroupRules = {
  retentionMs: 100 * 60_000,
  // A window closes three minutes after its end.
  closesAtMs: (_, minute) => (minute - (minute % 5) + 8) * 60_000,
};
const PEER = { acknowledged() {}, rewound() {}, fenced() {}, conflicted() {} };

function trackOf(producerId: string): Track {
  const session = new Session({ producerId, epoch: 4, applied: 0, peer: PEER });
  // A group never asks the lane of a track.
  const lane = undefined as unknown as Lane;
  return { session, lane, confirmed: 0, planned: 0, isTouched: false, isAlive: false, target: null };
}

function arrivalOf(track: Track, seq: number, parts: Partial<Arrival> = {}): Arrival {
  return {
    session: track.session,
    generation: 0,
    seq,
    digest: `digest ${seq}`,
    minute: NOW_MINUTE,
    shiftMinutes: 0,
    lost: {},
    receivedAtMs: NOW_MS,
    frame: Buffer.alloc(0),
    remaining: 1,
    ...parts,
  };
}

function merge(
  group: Group,
  track: Track,
  seq: number,
  cells: readonly Cell[],
  parts: Partial<Arrival> = {},
): void {
  const arrival = arrivalOf(track, seq, parts);
  const share: Share = { arrival, track, isAlive: true, forbidden: 0, wasSent: false };
  group.join(share);
  for (const one of cells) group.count(one, arrival);
}

const cells = fc.record({
  minute: fc.integer({ min: NOW_MINUTE - 110, max: NOW_MINUTE + 5 }),
  region: fc.constantFrom('', 'eu', 'ap'),
  platform: fc.constantFrom('web', 'native'),
  cause: fc.constantFrom<Cell['cause']>('', ...CAUSES),
  code: fc.constantFrom('', '5400', '5400/-1'),
  n: fc.integer({ min: 1, max: 1_000_000_000 }),
});
const batches = fc.array(
  fc.record({ producer: fc.integer({ min: 0, max: 4 }), cells: fc.array(cells, { maxLength: 20 }) }),
  {
    maxLength: 30,
  },
);

describe('a group', () => {
  it('gains exactly the sum of its cells, whatever their order and their batches', () => {
    fc.assert(
      fc.property(batches, (given) => {
        const group = new Group('acme', RULES);
        const tracks = Array.from({ length: 5 }, (_, i) => trackOf(`producer ${i}`));
        const seqs = [0, 0, 0, 0, 0];
        const tallies = new Map<number, number[]>();
        const late = new Map<number, number>();
        const labels = new Map<string, number>();
        let origins = 0;
        let tooOld = 0;
        let clamped = 0;
        for (const { producer, cells: parts } of given) {
          const whole = parts.map(
            (part): Cell => okCell({ ...part, result: part.cause === '' ? 'ok' : 'failed' }),
          );
          seqs[producer] = (seqs[producer] ?? 0) + 1;
          merge(group, tracks[producer]!, seqs[producer]!, whole);
          // The plain way to the same sums.
          for (const { minute, cause, n, region, platform } of whole) {
            if (minute < NOW_MINUTE - 100) {
              tooOld += n;
              continue;
            }
            if (minute > NOW_MINUTE + 1) clamped += n;
            const m = Math.min(minute, NOW_MINUTE + 1);
            const row = tallies.get(m) ?? [0, 0, 0, 0, 0];
            row[0] = (row[0] ?? 0) + n;
            if (cause !== '') {
              row[MEASURE_INDEX[cause]] = (row[MEASURE_INDEX[cause]] ?? 0) + n;
              origins += n;
            }
            tallies.set(m, row);
            labels.set(`${region} ${platform}`, (labels.get(`${region} ${platform}`) ?? 0) + n);
            if (NOW_MS > RULES.closesAtMs('acme', m)) late.set(m - (m % 5), (late.get(m - (m % 5)) ?? 0) + n);
          }
        }
        const delta = group.delta();
        const byMinute = (a: readonly [number, unknown], b: readonly [number, unknown]) => a[0] - b[0];
        expect([...delta.tallies].sort(byMinute)).toEqual([...tallies].sort(byMinute));
        expect([...delta.late].sort(byMinute)).toEqual([...late].sort(byMinute));
        expect([...group.tooOld.values()].reduce((sum, n) => sum + n, 0)).toBe(tooOld);
        expect(group.clamped).toBe(clamped);
        if (delta.origins.every(({ n }) => n < COUNTER_MAX)) {
          expect(delta.origins.reduce((sum, { n }) => sum + n, 0)).toBe(origins);
        }
        const seen = new Map(
          [...group.labels].flatMap(([region, platforms]) =>
            [...platforms].map(([platform, row]): [string, number] => [`${region} ${platform}`, row[0] ?? 0]),
          ),
        );
        expect(seen).toEqual(labels);
        expect(delta.cursors).toEqual(
          seqs
            .flatMap((seq, i) =>
              seq === 0
                ? []
                : [{ producerId: `producer ${i}`, epoch: 4, expectedSeq: 0, seq, digest: `digest ${seq}` }],
            )
            .sort(
              (a, b) =>
                delta.cursors.findIndex((c) => c.producerId === a.producerId) -
                delta.cursors.findIndex((c) => c.producerId === b.producerId),
            ),
        );
      }),
    );
  });

  it('expects of each producer the cursor that what was merged before will leave', () => {
    const track = trackOf('p');
    const first = new Group('acme', RULES);
    merge(first, track, 3, []);
    const second = new Group('acme', RULES);
    merge(second, track, 4, []);
    merge(second, track, 9, []);
    expect(first.delta().cursors).toMatchObject([{ expectedSeq: 0, seq: 3 }]);
    expect(second.delta().cursors).toMatchObject([{ expectedSeq: 3, seq: 9 }]);
  });

  it('keeps the bounds of a store call however many batches are offered', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 2_000 }), (count, size) => {
        const group = new Group('acme', { ...RULES, retentionMs: 1e12 });
        for (let i = 0; i < count; i += 1) {
          const track = trackOf(`p${i}`);
          // Every cell its own minute and origin: the worst that a batch can be.
          const each = Array.from({ length: size }, (_, k) =>
            failedCell({ minute: NOW_MINUTE - i * 2_000 - k, code: String(k) }),
          );
          if (!group.fits(track, each.length)) break;
          merge(group, track, 1, each);
        }
        const delta = group.delta();
        expect(delta.tallies.size).toBeLessThanOrEqual(APPLY_BOUNDS.tallies);
        expect(delta.late.size).toBeLessThanOrEqual(APPLY_BOUNDS.late);
        expect(delta.alive.size).toBeLessThanOrEqual(APPLY_BOUNDS.alive);
        expect(delta.origins.length).toBeLessThanOrEqual(APPLY_BOUNDS.origins);
        expect(delta.cursors.length).toBeGreaterThanOrEqual(1);
      }),
      { numRuns: 20 },
    );
  });

  it('takes a thousand producers and not one more', () => {
    const group = new Group('acme', RULES);
    const tracks = Array.from({ length: APPLY_BOUNDS.cursors + 1 }, (_, i) => trackOf(`p${i}`));
    for (const track of tracks.slice(0, -1)) {
      expect(group.fits(track, 0)).toBe(true);
      merge(group, track, 1, []);
    }
    expect(group.fits(tracks.at(-1)!, 0)).toBe(false);
    expect(group.fits(tracks[0]!, 0)).toBe(true);
  });

  it.each([
    ['the minute of now + 60 s', NOW_MINUTE + 1, { counted: NOW_MINUTE + 1, clamped: 0 }],
    ['the minute after it', NOW_MINUTE + 2, { counted: NOW_MINUTE + 1, clamped: 1 }],
    ['the oldest minute of the retention', NOW_MINUTE - 100, { counted: NOW_MINUTE - 100, clamped: 0 }],
  ])('counts %s where it belongs', (_, minute, { counted, clamped }) => {
    const group = new Group('acme', RULES);
    merge(group, trackOf('p'), 1, [okCell({ minute })]);
    expect([...group.delta().tallies.keys()]).toEqual([counted]);
    expect(group.clamped).toBe(clamped);
    expect(group.tooOld.size).toBe(0);
  });

  it('gives up the minute before the retention, and its mark of being alive', () => {
    const group = new Group('acme', RULES);
    merge(group, trackOf('p'), 1, [okCell({ minute: NOW_MINUTE - 101, n: 8 })], { minute: NOW_MINUTE - 101 });
    expect([...group.tooOld.values()]).toEqual([8]);
    expect(group.delta().tallies.size).toBe(0);
    expect(group.delta().alive.size).toBe(0);
  });

  it('shifts the minutes of an agent whose clock is off', () => {
    const group = new Group('acme', RULES);
    merge(group, trackOf('p'), 1, [okCell({ minute: NOW_MINUTE + 600 })], { shiftMinutes: -601 });
    expect([...group.delta().tallies.keys()]).toEqual([NOW_MINUTE - 1]);
  });

  it('is late at the instant after its window closed, not at it', () => {
    const closesAtMs = RULES.closesAtMs('acme', NOW_MINUTE);
    for (const [receivedAtMs, isLate] of [
      [closesAtMs, false],
      [closesAtMs + 1, true],
    ] as const) {
      const group = new Group('acme', RULES);
      merge(group, trackOf('p'), 1, [okCell({ minute: NOW_MINUTE, n: 2 })], { receivedAtMs });
      expect(group.delta().late.size).toBe(isLate ? 1 : 0);
    }
  });

  it('adds no more than a full counter to an origin in one call', () => {
    const group = new Group('acme', RULES);
    const huge = failedCell({ minute: NOW_MINUTE, n: 1_000_000_000 });
    merge(group, trackOf('p'), 1, new Array(10).fill(huge));
    expect(group.delta().origins).toMatchObject([{ n: COUNTER_MAX }]);
    expect(group.delta().tallies.get(NOW_MINUTE)?.[0]).toBe(10_000_000_000);
  });
});

describe('callbacks in a group', () => {
  const told = (parts: Partial<Cell>): Cell =>
    okCell({ region: '', platform: '', result: 'entered', minute: NOW_MINUTE, ...parts });

  it('are left out of the store call when there are none', () => {
    const group = new Group('acme', RULES);
    merge(group, trackOf('p'), 1, [okCell({ minute: NOW_MINUTE })]);
    expect('callbacks' in group.delta()).toBe(false);
    expect(group.callbackTotals()).toBeUndefined();
  });

  it('add up by minute, apart from the attempts', () => {
    const group = new Group('acme', RULES);
    const track = trackOf('p');
    merge(group, track, 1, [
      told({ n: 3 }),
      told({ result: 'left', n: 1 }),
      told({ result: 'returned', n: 7 }),
      okCell({ minute: NOW_MINUTE, n: 9 }),
    ]);
    merge(group, track, 2, [told({ n: 2 }), told({ minute: NOW_MINUTE - 1, result: 'left', n: 4 })]);
    const { callbacks, tallies, late, origins } = group.delta();
    expect([...(callbacks ?? [])]).toEqual([
      [NOW_MINUTE, [5, 1, 7]],
      [NOW_MINUTE - 1, [0, 4, 0]],
    ]);
    expect([...tallies]).toEqual([[NOW_MINUTE, [9, 0, 0, 0, 0]]]);
    expect([late.size, origins.length, group.labels.size]).toEqual([0, 0, 1]);
    expect(group.callbackTotals()).toEqual([5, 5, 7]);
  });

  it('keep the minute of the vendor when the clock of their agent is corrected', () => {
    const group = new Group('acme', RULES);
    merge(group, trackOf('p'), 1, [told({}), okCell({ minute: NOW_MINUTE - 60 })], { shiftMinutes: 60 });
    expect([...(group.delta().callbacks?.keys() ?? [])]).toEqual([NOW_MINUTE]);
    expect([...group.delta().tallies.keys()]).toEqual([NOW_MINUTE]);
  });

  it('of the future are counted in the next minute, and those past the retention are lost, as outcomes are', () => {
    const group = new Group('acme', RULES);
    merge(group, trackOf('p'), 1, [
      told({ minute: NOW_MINUTE + 1, n: 1 }),
      told({ minute: NOW_MINUTE + 2, n: 2 }),
      told({ minute: NOW_MINUTE - 100, n: 4 }),
      told({ minute: NOW_MINUTE - 101, n: 8 }),
    ]);
    expect([...(group.delta().callbacks ?? [])]).toEqual([
      [NOW_MINUTE + 1, [3, 0, 0]],
      [NOW_MINUTE - 100, [4, 0, 0]],
    ]);
    expect([group.clamped, group.tooOld.get('p')]).toEqual([2, 8]);
  });

  it('make room for themselves by their bound', () => {
    const group = new Group('acme', RULES);
    const track = trackOf('p');
    const rules = { ...RULES, retentionMs: 10_000 * 60_000 };
    const wide = new Group('acme', rules);
    merge(group, track, 1, [told({})]);
    expect(group.fits(track, APPLY_BOUNDS.callbacks - 1)).toBe(true);
    expect(group.fits(track, APPLY_BOUNDS.callbacks)).toBe(false);
    merge(
      wide,
      trackOf('q'),
      1,
      Array.from({ length: APPLY_BOUNDS.callbacks }, (_, i) => told({ minute: NOW_MINUTE - i })),
    );
    expect(wide.delta().callbacks?.size).toBe(APPLY_BOUNDS.callbacks);
  });
});
