import { describe, expect, it } from 'vitest';
import { type Group, GroupCommit } from '../../../agent/spool/group-commit.ts';

const CELL = {
  service: 'acme',
  minute: 1,
  region: '',
  platform: '',
  result: 'ok',
  cause: '',
  code: '',
  n: 1,
} as const;

describe('a group commit', () => {
  it('takes everything that arrives in one turn into one group', async () => {
    const groups: number[] = [];
    const commit = new GroupCommit(async (group) => void groups.push(group.tally.outcomes));
    const requests = Array.from({ length: 50 }, () => {
      commit.add(CELL, undefined, 0);
      return commit.commit();
    });
    await Promise.all(requests);
    expect(groups).toEqual([50]);
  });

  it('takes what arrives during a write into the next', async () => {
    const groups: number[] = [];
    const releases: (() => void)[] = [];
    const commit = new GroupCommit(async (group: Group) => {
      groups.push(group.tally.outcomes);
      await new Promise<void>((resolve) => releases.push(resolve));
    });
    commit.add(CELL, undefined, 0);
    const first = commit.commit();
    while (releases.length === 0) await new Promise(setImmediate);
    for (let i = 0; i < 3; i++) commit.add(CELL, undefined, 0);
    const second = commit.commit();
    releases.shift()?.();
    await first;
    while (releases.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    releases.shift()?.();
    await second;
    expect(groups).toEqual([1, 3]);
  });

  it('does not forget a group that is added in the step in which the last one is confirmed', async () => {
    let written = 0;
    const commit = new GroupCommit(async () => {
      written += 1;
    });
    for (let i = 0; i < 5; i++) {
      commit.add(CELL, undefined, 0);
      await commit.commit();
    }
    expect(written).toBe(5);
  });

  it('has nothing to wait for when nothing was added', async () => {
    await new GroupCommit(async () => {
      throw new Error('nothing to write');
    }).commit();
  });

  it('keeps outcomes of two clock corrections apart', async () => {
    const offsets: (number | null)[] = [];
    const commit = new GroupCommit(async (group) => void offsets.push(group.clockOffsetMs));
    commit.add(CELL, undefined, null);
    commit.add(CELL, undefined, 0);
    await commit.commit();
    expect(offsets).toEqual([null, 0]);
  });
});
