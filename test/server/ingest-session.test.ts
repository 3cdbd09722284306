import { describe, expect, it } from 'vitest';
import { DIGESTS_KEPT, Session } from '../../server/ingest/session.ts';

const PEER = { acknowledged() {}, rewound() {}, fenced() {}, conflicted() {} };

function sessionAt(applied: number): Session {
  return new Session({ producerId: 'p', epoch: 1, applied, peer: PEER });
}

describe('the turn of a frame', () => {
  it('is next for the seq after the last taken, again below it, early above it', () => {
    const session = sessionAt(7);
    expect(session.turnOf(8, 8, 'a')).toBe('next');
    expect(session.turnOf(9, 9, 'a')).toBe('early');
    expect(session.turnOf(7, 7, 'a')).toBe('again');
    session.take(8, 'a');
    expect(session.turnOf(9, 9, 'a')).toBe('next');
  });

  it('is next for a skip that reaches past what was taken, though it starts before', () => {
    const session = sessionAt(7);
    expect(session.turnOf(5, 9, '')).toBe('next');
    expect(session.turnOf(5, 7, '')).toBe('again');
    expect(session.turnOf(9, 12, '')).toBe('early');
  });

  it('is a conflict for another digest among the last ones, and unknown before them', () => {
    const session = sessionAt(0);
    for (let seq = 1; seq <= 100; seq += 1) session.take(seq, `d${seq}`);
    const oldest = 100 - DIGESTS_KEPT + 1;
    expect(session.turnOf(oldest, oldest, `d${oldest}`)).toBe('again');
    expect(session.turnOf(oldest, oldest, 'other')).toBe('conflict');
    expect(session.turnOf(oldest - 1, oldest - 1, 'other')).toBe('again');
  });

  it('is no conflict for a batch that a skip stands for', () => {
    const session = sessionAt(0);
    for (let seq = 1; seq <= 40; seq += 1) session.take(seq, `d${seq}`);
    session.take(60, '');
    for (let seq = 41; seq <= 60; seq += 1) expect(session.turnOf(seq, seq, 'any')).toBe('again');
    expect(session.turnOf(40, 40, 'other')).toBe('conflict');
  });

  it('is next again after a rewind, whatever the digest', () => {
    const session = sessionAt(0);
    for (let seq = 1; seq <= 5; seq += 1) session.take(seq, `d${seq}`);
    session.rewind(2);
    expect(session.turnOf(3, 3, 'other')).toBe('next');
    expect(session.turnOf(2, 2, 'd2')).toBe('again');
    expect(session.turnOf(2, 2, 'other')).toBe('conflict');
  });
});
