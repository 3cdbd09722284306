import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { CallbackMeasure } from '../../sla/facts.ts';

/**
 * The vendor's callback about a room, as far as it matters here. Everything else in it is passed over: the vendor
 * announces new fields and events without notice.
 */
export type TrtcEvent =
  | {
      readonly kind: 'counted';
      readonly measure: CallbackMeasure;
      readonly atMs: number;
      /** The same for a repeat of the callback, and for nothing else. */
      readonly id: string;
    }
  /** It says nothing about entries and exits. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'fault'; readonly code: string; readonly field: string; readonly message: string };

const ROOM_EVENTS = 1;
const ENTER = 103;
const EXIT = 104;
/**
 * What an entry and an exit count as, by their Reason. Concurrent users are the sum of both, so that what begins a stay
 * and what ends it must be counted both or neither.
 *
 * An entry: 1, the user asked for it; 3, back after the time-out of an exit 2, the SDK's own doing and no request of
 * clause 1.4. Passed over: 2, another network, which no exit goes before; 4, from another room; and what is not known,
 * which may be like 2.
 * An exit: 1 by the user, 2 a time-out, 3 removed, 5 killed, and what is not known: the user is gone whatever the
 * reason. Passed over: 4, the end of an entry 4.
 */
const ENTRY_MEASURES: Readonly<Record<number, CallbackMeasure>> = { 1: 'entered', 3: 'returned' };
const OTHER_ROOM = 4;

function measureOf(
  type: typeof ENTER | typeof EXIT,
  reason: number | undefined,
): CallbackMeasure | undefined {
  if (type === EXIT) return reason === OTHER_ROOM ? undefined : 'left';
  return reason === undefined ? undefined : ENTRY_MEASURES[reason];
}

const eventSchema = z.looseObject({ EventGroupId: z.int(), EventType: z.int() });
const roomSchema = z.looseObject({
  EventInfo: z
    .looseObject({
      // A number or a text, as the application chose: 8489 and "8489" are two rooms.
      RoomId: z.union([z.number(), z.string()]),
      UserId: z.string(),
      EventTs: z.int().min(0).optional(),
      EventMsTs: z.int().min(0).optional(),
      UniqueId: z.union([z.number(), z.string()]).optional(),
      Reason: z.int().optional(),
    })
    .refine((info) => info.EventMsTs !== undefined || info.EventTs !== undefined, {
      path: ['EventMsTs'],
      message: 'is missing, and EventTs too',
    }),
});

/** @param text the body of a callback whose signature is right */
export function readTrtcEvent(text: string, sdkAppId: string): TrtcEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = `the body is not JSON (${(error as Error).message})`;
    return { kind: 'fault', code: 'CALLBACK_NOT_JSON', field: '', message };
  }
  const event = eventSchema.safeParse(value);
  if (!event.success) return faultOf(event.error);
  const { EventGroupId: group, EventType: type } = event.data;
  if (group !== ROOM_EVENTS || (type !== ENTER && type !== EXIT)) return { kind: 'ignored' };
  const room = roomSchema.safeParse(value);
  if (!room.success) return faultOf(room.error);
  const { RoomId, UserId, EventTs, EventMsTs, UniqueId, Reason } = room.data.EventInfo;
  const measure = measureOf(type, Reason);
  if (measure === undefined) return { kind: 'ignored' };
  const atMs = EventMsTs ?? (EventTs ?? 0) * 1_000;
  return {
    kind: 'counted',
    measure,
    atMs,
    // No field names the event, but a user does one thing in a millisecond. CallbackTs is the sending's, not its.
    id: digestOf(['trtc', sdkAppId, type, RoomId, UserId, UniqueId ?? '', atMs]),
  };
}

/** Short enough for an id, however long the names of users and rooms are. */
function digestOf(parts: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

function faultOf({ issues: [issue] }: z.ZodError): TrtcEvent {
  const field = issue?.path.join('.') ?? '';
  const message = `${field || 'the body'}: ${issue?.message ?? 'is not valid'}`;
  return { kind: 'fault', code: 'CALLBACK_INVALID', field, message };
}
