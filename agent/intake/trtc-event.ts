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
 * Of an entry: the user asked to enter. 2 (the network changed) and 3 (back after a time-out) are the SDK's own
 * doing, and no request of clause 1.4; 4 moves a user between rooms.
 */
const ENTER_ASKED = 1;

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
  if (type === ENTER && Reason !== ENTER_ASKED) return { kind: 'ignored' };
  const atMs = EventMsTs ?? (EventTs ?? 0) * 1_000;
  return {
    kind: 'counted',
    measure: type === ENTER ? 'entered' : 'left',
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
