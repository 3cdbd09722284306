import { describe, expect, it } from 'vitest';
import { CLOSE_CODES } from '../../protocol/close-codes.ts';
import { decodeAgentFrame, decodeDaemonFrame, encodeFrame } from '../../protocol/codec.ts';
import type { AgentFrame, DaemonFrame } from '../../protocol/frame.ts';
import { LIMITS } from '../../protocol/limits.ts';

const AGENT_FRAMES: readonly AgentFrame[] = [
  {
    type: 'hello',
    v: 1,
    producerId: '3b241101-e2bb-4255-8caf-4136c566a962',
    agentId: 'edge-1',
    services: ['acme'],
    firstRetained: 8,
    lastSealed: 7,
    t0: 1,
  },
  { type: 'skip', epoch: 1, from: 3, to: 3, reason: 'disk-full', outcomes: 0 },
  { type: 'ping', t0: 1.5 },
  { type: 'pong', t0: 1, t1: 2, t2: 3 },
];

const DAEMON_FRAMES: readonly DaemonFrame[] = [
  {
    type: 'welcome',
    epoch: 1,
    storeId: 's',
    applied: 0,
    appliedDigest: '',
    credit: 64,
    limits: { framePayloadBytes: 262_144, cellsPerBatch: 2_000 },
    heartbeatMs: 20_000,
    t0: 1,
    t1: 2,
    t2: 3,
  },
  {
    type: 'welcome',
    epoch: 1,
    storeId: 's',
    applied: 0,
    appliedDigest: '',
    refused: ['acne'],
    credit: 64,
    limits: { framePayloadBytes: 262_144, cellsPerBatch: 2_000 },
    heartbeatMs: 20_000,
    t0: 1,
    t1: 2,
    t2: 3,
  },
  { type: 'ack', applied: 0, credit: 0 },
  { type: 'nack', kind: 'rewind', from: 1 },
  { type: 'nack', kind: 'retry', afterMs: 0 },
  { type: 'nack', kind: 'reject', seq: 1, reason: '' },
  { type: 'nack', kind: 'fenced' },
  { type: 'nack', kind: 'conflict', seq: 1 },
  { type: 'drain', afterMs: 0, spreadMs: 0 },
  { type: 'ping', t0: 1 },
  { type: 'pong', t0: 1, t1: 2, t2: 3 },
];

describe('frames', () => {
  it.each(AGENT_FRAMES.map((frame) => [frame.type, frame] as const))(
    '%s of an agent survives the wire',
    (_, frame) => {
      expect(decodeAgentFrame(encodeFrame(frame))).toEqual({ ok: true, frame });
    },
  );

  it.each(DAEMON_FRAMES.map((frame) => [JSON.stringify(frame), frame] as const))(
    '%s of the daemon survives the wire',
    (_, frame) => {
      expect(decodeDaemonFrame(encodeFrame(frame))).toEqual({ ok: true, frame });
    },
  );

  it('of one direction are not those of the other', () => {
    expect(decodeAgentFrame('{"type":"ack","applied":0,"credit":0}').ok).toBe(false);
    expect(decodeDaemonFrame('{"type":"skip","epoch":1,"from":1,"to":1,"reason":"x","outcomes":0}').ok).toBe(
      false,
    );
  });

  it.each([
    ['retains no more than it ever sealed', { firstRetained: 9, lastSealed: 7 }, 'firstRetained'],
    ['names a service', { services: [] }, 'services'],
    ['has a producer that is a UUID', { producerId: 'me' }, 'producerId'],
    ['speaks this version', { v: 2 }, 'v'],
  ])('a hello %s', (_, parts, field) => {
    expect(decodeAgentFrame(JSON.stringify({ ...AGENT_FRAMES[0], ...parts }))).toMatchObject({
      ok: false,
      fault: { field },
    });
  });

  it('a welcome refuses no more services than an agent has', () => {
    const refusing = (services: number) =>
      decodeDaemonFrame(JSON.stringify({ ...DAEMON_FRAMES[0], refused: new Array(services).fill('acne') }))
        .ok;
    expect(refusing(LIMITS.servicesPerAgent)).toBe(true);
    expect(refusing(LIMITS.servicesPerAgent + 1)).toBe(false);
  });

  it('a skip that ends before it starts is refused', () => {
    expect(decodeAgentFrame(JSON.stringify({ ...AGENT_FRAMES[1], to: 2 }))).toMatchObject({
      ok: false,
      fault: { field: 'to' },
    });
  });

  it('a batch that is full of ordinary cells fits into the largest message', () => {
    const cell = {
      service: 'a-service-of-some-length',
      minute: 29_000_000,
      region: 'ap-guangzhou',
      platform: 'web-v5',
      result: 'ok',
      cause: '',
      code: '',
      n: 123,
    };
    const bytes = JSON.stringify(new Array(1_500).fill(cell)).length;
    expect(bytes).toBeLessThan(LIMITS.framePayloadBytes);
  });
});

describe('close codes', () => {
  it('are distinct, and of the range for applications where they are ours', () => {
    const codes = Object.values(CLOSE_CODES).map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code < 1_016 || (code >= 4_000 && code < 5_000)).toBe(true);
  });
});
