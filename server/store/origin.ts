import { LATE_SLOT_MINUTES, MINUTE_MS } from '../../sla/facts.ts';
import type { Origin } from './store.ts';

/**
 * Origins are kept per service and UTC hour, as a hash from a packed field to a count.
 *
 * A field is `slot-of-hour | cause | region | platform | code`, its parts joined by the unit separator. A
 * separator inside a part is escaped, so that no two origins share a field whatever text an agent sends.
 */
export const ORIGIN_BOUNDS = {
  /** Fields of one hour. */
  fieldsPerHour: 256,
  /**
   * Of these, kept free for the folded fields: one for each slot (12) and cause (4). What does not fit is
   * counted under the folded field, so a month of unheard-of regions costs no more than this.
   */
  foldedPerHour: 48,
  /** How long an hour is kept after its end. */
  keptMs: 6 * 3_600_000,
  /** Hours that one question may span, counted back from its end; far more than are kept. */
  hoursRead: 48,
} as const;

/** Stands for the regions, platforms and codes of origins that did not fit. */
export const FOLDED = 'other';

const HOUR_MINUTES = 60;
const SEPARATOR = '\u001f';
const ESCAPE = '\u001e';

export function hourOf(minute: number): number {
  return Math.floor(minute / HOUR_MINUTES);
}

/** Milliseconds that an hour of origins still has at `nowMs`; zero or less when it is no longer kept. */
export function hourLeftMs(hour: number, nowMs: number): number {
  return Math.ceil((hour + 1) * HOUR_MINUTES * MINUTE_MS + ORIGIN_BOUNDS.keptMs - nowMs);
}

export function packOrigin(origin: Origin): string {
  const slot = (origin.slotMinute % HOUR_MINUTES) / LATE_SLOT_MINUTES;
  const parts = [origin.cause, origin.region, origin.platform, origin.code];
  return [String(slot), ...parts.map(escapePart)].join(SEPARATOR);
}

export function unpackOrigin(hour: number, field: string): Origin {
  const [slot = '', cause = '', region = '', platform = '', code = ''] = field
    .split(SEPARATOR)
    .map(unescapePart);
  const slotMinute = hour * HOUR_MINUTES + Number(slot) * LATE_SLOT_MINUTES;
  return { slotMinute, region, platform, cause, code };
}

/** The field under which an origin is counted when its hour is full. */
export function packFolded(origin: Origin): string {
  return packOrigin({ ...origin, region: FOLDED, platform: FOLDED, code: FOLDED });
}

function escapePart(part: string): string {
  return part.replaceAll(ESCAPE, `${ESCAPE}0`).replaceAll(SEPARATOR, `${ESCAPE}1`);
}

function unescapePart(part: string): string {
  return part.replaceAll(`${ESCAPE}1`, SEPARATOR).replaceAll(`${ESCAPE}0`, ESCAPE);
}
