import { describe, expect, it } from 'vitest';
import { createDesk, type Desk } from '../../alerts/desk.ts';
import { STORES } from './rig.ts';

const NOW_MS = Date.parse('2026-11-23T06:00:00Z');
const HOUR_MS = 3_600_000;

/** A desk on a real journal, and a clock to turn. */
async function withDesk(
  act: (desk: Desk, clock: { nowMs: number }, other: () => Desk) => Promise<void>,
): Promise<void> {
  const { store, close } = await STORES.lmdb!();
  const clock = { nowMs: NOW_MS };
  try {
    await act(
      createDesk(store.journal, () => clock.nowMs),
      clock,
      () => createDesk(store.journal, () => clock.nowMs),
    );
  } finally {
    await close();
  }
}

const REQUEST = {
  service: 'acme',
  step: 'near',
  until: '2026-11-23T08:00:00+01:00',
  author: 'mei',
  reason: 'known',
};

describe('a silence', () => {
  it('is in force until its end, and another daemon sees it', async () => {
    await withDesk(async (desk, clock, other) => {
      const recorded = await desk.silence(REQUEST, 'ops');
      expect(recorded).toMatchObject({
        status: 'recorded',
        silence: {
          service: 'acme',
          step: 'near',
          fromMs: NOW_MS,
          untilMs: NOW_MS + HOUR_MS,
          by: 'ops',
          author: 'mei',
        },
      });
      expect((await other().inForce()).silences).toHaveLength(1);
      clock.nowMs = NOW_MS + HOUR_MS - 1;
      expect((await desk.inForce()).silences).toHaveLength(1);
      clock.nowMs = NOW_MS + HOUR_MS;
      expect((await desk.inForce()).silences).toEqual([]);
    });
  });

  it('can be ended early, once, by its id', async () => {
    await withDesk(async (desk) => {
      const recorded = await desk.silence({ ...REQUEST, service: undefined, step: undefined }, 'ops');
      if (recorded.status !== 'recorded') throw new Error('not recorded');
      expect(recorded.silence).toMatchObject({ service: '*', step: '*' });
      expect(await desk.endSilence(recorded.silence.id, 'li')).toEqual({ status: 'recorded' });
      expect((await desk.inForce()).silences).toEqual([]);
      expect(await desk.endSilence(recorded.silence.id, 'li')).toEqual({ status: 'unknown' });
    });
  });

  it.each([
    [{ until: 'tomorrow' }, 'until', 'is not a time; write RFC 3339, such as 2026-11-23T06:00:00Z'],
    [{ until: '2026-11-23T06:00:00Z' }, 'until', 'is in the past; a silence ends in the future'],
    [
      { until: '2026-12-24T06:00:01Z' },
      'until',
      'is more than 31 days away; enter a shorter silence and renew it',
    ],
    [{ author: '' }, 'author', 'is empty; write one'],
    [{ author: 'mei\nroot' }, 'author', 'must be one line of at most 128 characters'],
    [{ service: 'no spaces' }, 'service', null],
    [{ step: 'everything' }, 'step', null],
    [{ extra: 1 }, '', null],
  ])('with %j is refused at %j', async (wrong, field, message) => {
    await withDesk(async (desk) => {
      const refused = await desk.silence({ ...REQUEST, ...wrong }, 'ops');
      expect(refused).toMatchObject({ status: 'invalid', field });
      if (message !== null) expect(refused).toMatchObject({ message });
      expect((await desk.inForce()).silences).toEqual([]);
    });
  });

  it('of 31 days is the longest', async () => {
    await withDesk(async (desk) => {
      const until = new Date(NOW_MS + 31 * 24 * HOUR_MS).toISOString();
      expect(await desk.silence({ ...REQUEST, until }, 'ops')).toMatchObject({ status: 'recorded' });
    });
  });
});

describe('an acknowledgement', () => {
  it('names the token it came with, whatever its author says', async () => {
    await withDesk(async (desk, _clock, other) => {
      const acknowledge = (key: string, body: object) => desk.acknowledge(key, true, body, 'ops');
      expect(await acknowledge('a', { author: 'mei' })).toEqual({ status: 'recorded', by: 'ops (mei)' });
      expect(await acknowledge('b', {})).toEqual({ status: 'recorded', by: 'ops' });
      expect(await acknowledge('c', { author: 'mei', by: 'root' })).toMatchObject({ status: 'invalid' });
      expect([...(await other().inForce()).acknowledgements]).toEqual([
        ['a', 'ops (mei)'],
        ['b', 'ops'],
      ]);
    });
  });
});

describe('the desk', () => {
  it('reads what was recorded before the token was', async () => {
    const { store, close } = await STORES.lmdb!();
    try {
      await store.journal.append('acknowledgements', { key: 'a', author: 'mei', atMs: NOW_MS });
      const silence = {
        id: 's',
        service: '*',
        step: '*',
        fromMs: 0,
        untilMs: NOW_MS + 1,
        author: 'mei',
        reason: 'x',
      };
      await store.journal.append('silences', { event: 'silenced', silence });
      const inForce = await createDesk(store.journal, () => NOW_MS).inForce();
      expect(inForce.acknowledgements.get('a')).toBe('mei');
      expect(inForce.silences).toEqual([{ ...silence, by: null }]);
    } finally {
      await close();
    }
  });

  it('passes over events of another version', async () => {
    const { store, close } = await STORES.lmdb!();
    try {
      await store.journal.append('silences', { event: 'muted', by: 'the future' });
      await store.journal.append('acknowledgements', 42);
      const desk = createDesk(store.journal, () => NOW_MS);
      await desk.silence(REQUEST, 'ops');
      expect((await desk.inForce()).silences).toHaveLength(1);
    } finally {
      await close();
    }
  });

  it('goes by what it last knew while the journal does not answer', async () => {
    const { store, close } = await STORES.lmdb!();
    let isDown = false;
    const clock = { nowMs: NOW_MS };
    const desk = createDesk(
      {
        append: (topic, entry) => store.journal.append(topic, entry),
        read: (topic) => (isDown ? Promise.reject(new Error('down')) : store.journal.read(topic)),
      },
      () => clock.nowMs,
    );
    try {
      await desk.silence(REQUEST, 'ops');
      expect((await desk.inForce()).silences).toHaveLength(1);
      isDown = true;
      clock.nowMs = NOW_MS + 60_000;
      expect((await desk.inForce()).silences).toHaveLength(1);
      clock.nowMs = NOW_MS + HOUR_MS;
      expect((await desk.inForce()).silences).toEqual([]);
    } finally {
      await close();
    }
  });
});
