import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Answer,
  createOutbox,
  type Drop,
  type Outbox,
  type OutboxOptions,
} from '../../../agent/browser/outbox.ts';

interface Post {
  readonly atMs: number;
  readonly records: readonly unknown[];
  answer(answer: Answer | Error): Promise<void>;
}

const TAKEN: Answer = { kind: 'taken', refused: 0 };
const HOUR_MS = 3_600_000;

let posts: Post[];
let left: unknown[][];
let leaves: boolean[];
let drops: Drop[];
let answered: number;
let outbox: Outbox;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-23T12:00:00Z') });
  posts = [];
  left = [];
  leaves = [];
  drops = [];
  answered = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

function open(options: Partial<OutboxOptions> = {}): void {
  outbox = createOutbox({
    batchMax: 3,
    bufferMax: 8,
    intervalMs: 5_000,
    random: () => 1,
    onDrop: (drop) => drops.push(drop),
    onAnswer: () => {
      answered += 1;
    },
    transport: {
      post: (body) =>
        new Promise((resolve, reject) => {
          const answer = async (given: Answer | Error) => {
            if (given instanceof Error) reject(given);
            else resolve(given);
            // Lets the outbox go on before the test does.
            await vi.advanceTimersByTimeAsync(0);
          };
          posts.push({ atMs: Date.now(), records: JSON.parse(body), answer });
        }),
      leave: (body) => {
        const isTaken = leaves.shift() ?? true;
        if (isTaken) left.push(JSON.parse(body));
        return isTaken;
      },
    },
    ...options,
  });
}

function add(...numbers: number[]): void {
  for (const number of numbers) outbox.add(String(number));
}

const wait = (ms: number) => vi.advanceTimersByTimeAsync(ms);

const waiting = () => outbox.waiting.map(({ text }) => Number(text));

/** As when a computer is shut: its clock goes on, and nothing runs. */
const sleep = (ms: number) => vi.setSystemTime(Date.now() + ms);

describe('a report', () => {
  it('goes when its oldest record has waited for the interval, and no millisecond before', async () => {
    open();
    add(1);
    await wait(3_000);
    add(2);
    await wait(1_999);
    expect(posts).toEqual([]);
    await wait(1);
    expect(posts.map(({ records }) => records)).toEqual([[1, 2]]);
  });

  it('goes at once when it is full', async () => {
    open();
    add(1, 2);
    await wait(10);
    expect(posts).toHaveLength(0);
    add(3);
    await wait(0);
    expect(posts.map(({ records }) => records)).toEqual([[1, 2, 3]]);
  });

  it('is the only one under way, and what came meanwhile waits for its own interval', async () => {
    open();
    add(1, 2, 3);
    await wait(0);
    add(4);
    await wait(60_000);
    expect(posts).toHaveLength(1);
    await posts[0]?.answer(TAKEN);
    await wait(4_999);
    expect(posts).toHaveLength(1);
    await wait(1);
    expect(posts[1]?.records).toEqual([4]);
  });

  it('is followed at once by the next when more had waited than it holds', async () => {
    open();
    add(1, 2, 3, 4, 5);
    await wait(0);
    await posts[0]?.answer(TAKEN);
    expect(posts[1]?.records).toEqual([4, 5]);
  });

  it('holds at most 20,000 characters, and a record at most 2,000', async () => {
    open({ batchMax: 50, bufferMax: 50 });
    const record = (characters: number) => JSON.stringify('x'.repeat(characters - 2));
    outbox.add(record(2_001));
    expect(drops).toEqual([{ reason: 'invalid', count: 1 }]);
    for (let i = 0; i < 11; i++) outbox.add(record(2_000));
    void outbox.flush();
    expect(posts[0]?.records).toHaveLength(9);
    expect(JSON.stringify(posts[0]?.records).length).toBeLessThanOrEqual(20_000);
    await posts[0]?.answer(TAKEN);
    expect(posts[1]?.records).toHaveLength(2);
  });
});

describe('a report without an answer', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'waits a random part of a bound that doubles up to a minute: try %d',
    async (failures) => {
      open({ random: () => 0.5 });
      add(1);
      await wait(5_000);
      for (let i = 0; i < failures - 1; i++) {
        await posts[i]?.answer({ kind: 'later' });
        await wait(30_000);
      }
      await posts[failures - 1]?.answer({ kind: 'later' });
      const boundMs = Math.min(60_000, 1_000 * 2 ** (failures - 1));
      await wait(boundMs / 2 - 1);
      expect(posts).toHaveLength(failures);
      await wait(1);
      expect(posts).toHaveLength(failures + 1);
    },
  );

  it('waits as long as it was asked to and a random part more, but for a quarter of an hour at most', async () => {
    open();
    add(1);
    await wait(5_000);
    await posts[0]?.answer({ kind: 'later', afterMs: 30_000 });
    await wait(30_999);
    expect(posts).toHaveLength(1);
    await wait(1);
    await posts[1]?.answer({ kind: 'later', afterMs: 86_400_000 });
    await wait(15 * 60_000 + 1_999);
    expect(posts).toHaveLength(2);
    await wait(1);
    expect(posts).toHaveLength(3);
  });

  it('is repeated with the same records and the new ones behind them', async () => {
    open();
    add(1);
    await wait(5_000);
    await posts[0]?.answer({ kind: 'later' });
    add(2, 3, 4);
    await wait(999);
    expect(posts).toHaveLength(1);
    await wait(1);
    expect(posts[1]?.records).toEqual([1, 2, 3]);
    await posts[1]?.answer(TAKEN);
    expect(posts[2]?.records).toEqual([4]);
  });

  it('goes soon after the network is back', async () => {
    open();
    add(1);
    await wait(5_000);
    for (let i = 0; i < 6; i++) {
      await posts[i]?.answer({ kind: 'later' });
      await wait(i < 5 ? 32_000 : 0);
    }
    expect(posts).toHaveLength(6);
    outbox.wake();
    await wait(1_000);
    expect(posts).toHaveLength(7);
  });

  it('but not before the agent asked for it, whatever became of the clock', async () => {
    open();
    add(1);
    await wait(5_000);
    await posts[0]?.answer({ kind: 'later', afterMs: 30_000 });
    await wait(10_000);
    outbox.wake();
    sleep(-5 * HOUR_MS);
    outbox.wake();
    await wait(19_999);
    expect(posts).toHaveLength(1);
    await wait(1_001);
    expect(posts).toHaveLength(2);
  });

  it('starts its waits anew after a success', async () => {
    open();
    add(1);
    await wait(5_000);
    await posts[0]?.answer({ kind: 'later' });
    await wait(1_000);
    await posts[1]?.answer({ kind: 'later' });
    await wait(2_000);
    await posts[2]?.answer(TAKEN);
    add(2);
    await wait(5_000);
    await posts[3]?.answer({ kind: 'later' });
    await wait(999);
    expect(posts).toHaveLength(4);
    await wait(1);
    expect(posts).toHaveLength(5);
  });
});

describe('what is dropped', () => {
  it('is the newest when the buffer is full, also while a report is under way', async () => {
    open();
    add(1, 2, 3, 4, 5, 6, 7, 8);
    expect(drops).toEqual([]);
    add(9, 10);
    expect(drops).toEqual([
      { reason: 'buffer-full', count: 1 },
      { reason: 'buffer-full', count: 1 },
    ]);
    await wait(0);
    add(11);
    expect(drops).toHaveLength(3);
    await posts[0]?.answer(TAKEN);
    add(12);
    expect(waiting()).toEqual([4, 5, 6, 7, 8, 12]);
  });

  it('is a report that would be refused again, and the next one goes', async () => {
    open();
    add(1, 2, 3, 4);
    await wait(0);
    await posts[0]?.answer({ kind: 'refused', message: 'no' });
    expect(drops).toEqual([{ reason: 'refused', count: 3, message: 'no' }]);
    expect(posts[1]?.records).toEqual([4]);
  });

  it('is a record that the agent refused among others', async () => {
    open();
    add(1, 2, 3);
    await wait(0);
    await posts[0]?.answer({ kind: 'taken', refused: 1, message: 'result is missing' });
    expect(drops).toEqual([{ reason: 'refused', count: 1, message: 'result is missing' }]);
    expect(outbox.waiting).toEqual([]);
  });

  it('is nothing that the agent asks for again: it goes after a wait', async () => {
    open();
    add(1, 2, 3);
    await wait(0);
    await posts[0]?.answer({ kind: 'taken', upTo: 1, refused: 0 });
    expect(posts).toHaveLength(1);
    await wait(1_000);
    expect(posts[1]?.records).toEqual([2, 3]);
    expect(drops).toEqual([]);
  });
});

describe('a page that ends', () => {
  it('leaves everything with the browser, what is under way too, and only once', async () => {
    open();
    add(1, 2, 3, 4);
    await wait(0);
    outbox.leave();
    outbox.leave();
    expect(left).toEqual([[1, 2, 3], [4]]);
    add(5);
    outbox.leave();
    expect(left).toEqual([[1, 2, 3], [4], [5]]);
  });

  it('leaves no more than the browser takes', () => {
    open();
    add(1, 2, 3, 4);
    leaves = [true, false];
    outbox.leave();
    outbox.leave();
    expect(left).toEqual([[1, 2, 3], [4]]);
  });

  it('leaves half of a report that is too much, and half of that, down to one record', () => {
    open({ batchMax: 8 });
    add(1, 2, 3, 4, 5, 6, 7, 8);
    leaves = [false, true, false, true, false, false];
    outbox.leave();
    expect(left).toEqual([
      [1, 2, 3, 4],
      [5, 6],
    ]);
    expect(leaves).toEqual([]);
    outbox.leave();
    expect(left.at(-1)).toEqual([7, 8]);
  });

  it('reports again if it lives on, as a copy that was left has no answer', async () => {
    open();
    add(1);
    outbox.leave();
    await wait(5_000);
    expect(posts[0]?.records).toEqual([1]);
    // The agent was away for both; the next time the page is hidden a copy goes again.
    await posts[0]?.answer({ kind: 'later' });
    outbox.leave();
    expect(left).toEqual([[1], [1]]);
  });
});

describe('a record that the browser took', () => {
  it.each([
    ['is repeated within the hour', HOUR_MS - 1, 1],
    ['is not repeated after it, as the agent may have forgotten its id', HOUR_MS, 0],
  ])('%s', async (_, ms, count) => {
    open();
    add(1);
    outbox.leave();
    sleep(ms);
    const flushed = outbox.flush();
    expect(posts).toHaveLength(count);
    await posts[0]?.answer(TAKEN);
    expect(await flushed).toBe(true);
    expect([waiting(), drops]).toEqual([[], []]);
  });

  it('and that is not repeated holds nothing up', async () => {
    open();
    add(1);
    outbox.leave();
    sleep(HOUR_MS);
    await wait(5_000);
    expect(posts).toEqual([]);
    add(2);
    await wait(5_000);
    expect(posts.map(({ records }) => records)).toEqual([[2]]);
  });

  it('is repeated however late when the next report failed: the copy went the same way', async () => {
    open();
    add(1);
    outbox.leave();
    await wait(5_000);
    await posts[0]?.answer({ kind: 'later' });
    sleep(HOUR_MS);
    await wait(1_000);
    expect(posts[1]?.records).toEqual([1]);
  });

  it.each(['the same page', 'the next page'])(
    'while reports failed is repeated however late, by %s',
    async (whose) => {
      open();
      add(1);
      await wait(5_000);
      await posts[0]?.answer({ kind: 'later' });
      outbox.leave();
      outbox.leave();
      expect(left).toEqual([[1]]);
      sleep(HOUR_MS);
      if (whose === 'the next page') restore();
      void outbox.flush();
      expect(posts[1]?.records).toEqual([1]);
    },
  );

  it('is known as such to the next page', async () => {
    open();
    add(1);
    outbox.leave();
    add(2);
    sleep(HOUR_MS);
    restore();
    void outbox.flush();
    expect(posts.map(({ records }) => records)).toEqual([[2]]);
  });

  /** What waits goes through the page's storage to a new outbox. */
  function restore(): void {
    const stored = JSON.parse(JSON.stringify(outbox.waiting)) as { text: string; leftAt?: number }[];
    open();
    for (const { text, leftAt } of stored) outbox.add(text, leftAt);
  }
});

describe('an answer', () => {
  it('is told of when what waits is without the records that it was about', async () => {
    open();
    add(1, 2, 3, 4);
    await wait(0);
    expect(answered).toBe(0);
    await posts[0]?.answer(TAKEN);
    expect([answered, waiting()]).toEqual([1, [4]]);
    await posts[1]?.answer({ kind: 'later' });
    expect([answered, waiting()]).toEqual([2, [4]]);
  });
});

describe('flush', () => {
  it('sends all that waits without waiting, and says that it has arrived', async () => {
    open();
    add(1, 2, 3, 4);
    const flushed = outbox.flush();
    await posts[0]?.answer(TAKEN);
    await posts[1]?.answer(TAKEN);
    expect(await flushed).toBe(true);
    expect(await outbox.flush()).toBe(true);
    expect(posts).toHaveLength(2);
  });

  it('tries once, also in the middle of a wait', async () => {
    open();
    add(1);
    await wait(5_000);
    await posts[0]?.answer({ kind: 'later', afterMs: 600_000 });
    const flushed = outbox.flush();
    await posts[1]?.answer({ kind: 'later' });
    expect(await flushed).toBe(false);
    expect(waiting()).toEqual([1]);
  });
});

describe('close', () => {
  it('flushes once, drops what is left, and takes nothing more', async () => {
    open();
    add(1, 2);
    const closed = outbox.close();
    add(3);
    await posts[0]?.answer({ kind: 'later' });
    await closed;
    expect(drops).toEqual([
      { reason: 'closed', count: 1 },
      { reason: 'closed', count: 2 },
    ]);
    await wait(3_600_000);
    expect(posts).toHaveLength(1);
  });
});
