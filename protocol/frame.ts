import { z } from 'zod';
import { CAUSES } from '../sla/cause.ts';
import { CALLBACK_MEASURES, type CallbackMeasure } from '../sla/facts.ts';
import { SERVICE_PATTERN } from '../sla/outcome.ts';
import { LIMITS } from './limits.ts';

/**
 * The frames between an agent and the daemon: JSON text over WebSocket, subprotocol `roomwatch.v1`.
 * Every frame is an object with a `type`. Times are epoch milliseconds, minutes are epoch minutes.
 */

const seq = z.int().min(1);
const epoch = z.int().min(0);
const epochMs = z.number().min(0);
const service = z.string().regex(SERVICE_PATTERN);
const label = z
  .string()
  .refine(isLabel, `is longer than ${LIMITS.labelCharacters} characters or holds a control character`);

/** Text of at most LIMITS.labelCharacters UTF-16 units; a control character would travel on into mails and terminals. */
export function isLabel(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > LIMITS.labelCharacters) return false;
  for (let i = 0; i < value.length; i += 1) {
    const unit = value.charCodeAt(i);
    if (unit < 0x20 || (unit > 0x7e && unit < 0xa0)) return false;
  }
  return true;
}

/**
 * One counted fact: `n` outcomes of one service, minute, region, platform, result, cause and code.
 * `cause` and `code` are '' when `result` is 'ok'. `code` is `code` or `code/extraCode` as text.
 *
 * A cell whose result is one of CALLBACK_MEASURES counts no outcomes but the vendor's callbacks of that name. They say
 * nothing of where or how, so its labels are all ''; its minute is the vendor's, which no clock correction moves.
 */
export const cellSchema = z
  .strictObject({
    service,
    minute: z.int().min(0),
    region: label,
    platform: label,
    result: z.enum(['ok', 'failed', ...CALLBACK_MEASURES]),
    cause: z.enum([...CAUSES, '']),
    code: label,
    n: z.int().min(1).max(LIMITS.countPerCell),
  })
  .refine((cell) => (cell.result === 'failed') === (cell.cause !== ''), {
    path: ['cause'],
    message: "a failed outcome has a cause and every other cell has ''",
  })
  .refine((cell) => !isCallback(cell.result) || `${cell.region}${cell.platform}${cell.code}` === '', {
    path: ['result'],
    message: 'a cell of callbacks has no region, platform or code',
  });
export type Cell = z.infer<typeof cellSchema>;

export function isCallback(result: unknown): result is CallbackMeasure {
  return CALLBACKS.has(result);
}

const CALLBACKS: ReadonlySet<unknown> = new Set(CALLBACK_MEASURES);

/** Outcomes that an agent accepted and could not keep, by reason. */
export const lostSchema = z.record(label, z.int().min(0));

export const helloSchema = z
  .strictObject({
    type: z.literal('hello'),
    v: z.literal(1),
    producerId: z.uuid(),
    agentId: z.string().min(1).max(128),
    services: z.array(service).min(1).max(LIMITS.servicesPerAgent),
    /** Lowest seq the spool can still send; `lastSealed + 1` when it holds none. */
    firstRetained: seq,
    /** Highest seq ever sealed; 0 when none. */
    lastSealed: z.int().min(0),
    t0: epochMs,
  })
  .refine((hello) => hello.firstRetained <= hello.lastSealed + 1, {
    path: ['firstRetained'],
    message: 'is beyond lastSealed + 1',
  });

export const batchSchema = z.strictObject({
  type: z.literal('batch'),
  epoch,
  seq,
  /**
   * Names what the batch counts (cells and lost): the same seq with another digest is a conflict. The marks
   * (minute, alive) are left out, so that a batch rebuilt after disk damage is still the same batch.
   */
  digest: z.string().regex(/^[0-9a-f]{16}$/),
  /** The minute in which the batch was sealed; `alive` holds for it. */
  minute: z.int().min(0),
  /**
   * What the agent added to its own clock before it tallied: the minutes of `cells` and `minute` include it.
   * 0 when the clocks agree within max(2 s, 2 x round trip). null when the batch was sealed before the agent
   * had measured its offset: the minutes are those of its raw clock, and the daemon, which measures the offset
   * by its own pings, may shift them by whole minutes.
   */
  clockOffsetMs: z.number().nullable(),
  cells: z.array(cellSchema).max(LIMITS.cellsPerBatch),
  alive: z.array(service).max(LIMITS.servicesPerAgent),
  lost: lostSchema,
});

/** A range of batches the agent had to give up, so that seq stays contiguous and the loss is counted. */
export const skipSchema = z
  .strictObject({
    type: z.literal('skip'),
    epoch,
    from: seq,
    to: seq,
    reason: label.min(1),
    outcomes: z.int().min(0),
  })
  .refine((skip) => skip.from <= skip.to, { path: ['to'], message: 'is below from' });

export const pingSchema = z.strictObject({ type: z.literal('ping'), t0: epochMs });
/**
 * The daemon's own also says how widely its agents are to be spread should they lose it: each comes back at a random
 * instant within `spreadMs`. Only the daemon knows how many they are.
 */
export const daemonPingSchema = pingSchema.extend({ spreadMs: z.int().min(0).optional() });
export const pongSchema = z.strictObject({ type: z.literal('pong'), t0: epochMs, t1: epochMs, t2: epochMs });

export const welcomeSchema = z.strictObject({
  type: z.literal('welcome'),
  epoch,
  storeId: z.string(),
  /** Highest seq that every service of the agent holds; the agent goes on from `applied + 1`. */
  applied: z.int().min(0),
  /** Digest of batch `applied` as the store knows it, '' when unknown: another one here means a cloned spool. */
  appliedDigest: z.string(),
  /**
   * The highest batch that one of the agent's services holds, where that is above `applied`. Another digest here means
   * a cloned spool, too: that service would take the batches up to this one for repeats.
   */
  furthest: z.strictObject({ seq, digest: z.string() }).optional(),
  /**
   * Services of the hello that the token does not cover; left out when it covers all. Nothing of them is counted or
   * kept: their cells in a batch, which is sent and named by its digest as a whole, are lost as `forbidden` when the
   * rest of it is counted, and their `alive` is not heard. An agent should refuse their outcomes until a welcome no
   * longer names them. A token that covers none of the hello's services closes it with 4403 instead.
   */
  refused: z.array(service).max(LIMITS.servicesPerAgent).optional(),
  credit: z.int().min(1),
  limits: z.strictObject({ framePayloadBytes: z.int(), cellsPerBatch: z.int() }),
  heartbeatMs: z.int().min(1),
  t0: epochMs,
  t1: epochMs,
  t2: epochMs,
});

/** Cumulative: every batch up to `applied` is in the store. */
export const ackSchema = z.strictObject({
  type: z.literal('ack'),
  applied: z.int().min(0),
  credit: z.int().min(0),
});

export const nackSchema = z.discriminatedUnion('kind', [
  /** The daemon lacks `from` and what follows: send again from there (or a skip for what is gone). */
  z.strictObject({ type: z.literal('nack'), kind: z.literal('rewind'), from: seq }),
  /** The store is not reachable: keep everything and send again after `afterMs`. */
  z.strictObject({ type: z.literal('nack'), kind: z.literal('retry'), afterMs: z.int().min(0) }),
  /** This batch will never be taken; the agent sets it aside and sends a skip in its place. */
  z.strictObject({ type: z.literal('nack'), kind: z.literal('reject'), seq, reason: z.string() }),
  /** A newer connection of the same producer exists. */
  z.strictObject({ type: z.literal('nack'), kind: z.literal('fenced') }),
  /** The store holds another batch under this seq: the spool is a copy and needs a new identity. */
  z.strictObject({ type: z.literal('nack'), kind: z.literal('conflict'), seq }),
]);

/** The daemon is about to stop: reconnect after `afterMs` plus a random part of `spreadMs`. */
export const drainSchema = z.strictObject({
  type: z.literal('drain'),
  afterMs: z.int().min(0),
  spreadMs: z.int().min(0),
});

export const agentFrameSchema = z.discriminatedUnion('type', [
  helloSchema,
  batchSchema,
  skipSchema,
  pingSchema,
  pongSchema,
]);
export const daemonFrameSchema = z.union([
  welcomeSchema,
  ackSchema,
  nackSchema,
  drainSchema,
  daemonPingSchema,
  pongSchema,
]);

export type Hello = z.infer<typeof helloSchema>;
export type Batch = z.infer<typeof batchSchema>;
export type Skip = z.infer<typeof skipSchema>;
export type Pong = z.infer<typeof pongSchema>;
export type Welcome = z.infer<typeof welcomeSchema>;
export type Nack = z.infer<typeof nackSchema>;
export type AgentFrame = z.infer<typeof agentFrameSchema>;
export type DaemonFrame = z.infer<typeof daemonFrameSchema>;
