import { DAY_MS, parseOffset } from './instant.ts';

/** A stretch of time in which a zone's clock keeps one offset; minutes of the epoch, the end excluded. */
export interface ZonePiece {
  readonly fromMinute: number;
  readonly toMinute: number;
  /** minutes east of UTC */
  readonly offsetMinutes: number;
}

/** Every zone's offset since 2001 is a multiple of this, which keeps the five-minute grid the same everywhere. */
const OFFSET_STEP_MINUTES = 15;

/**
 * Whether a text names a zone that the contract can be kept in: 'UTC', a fixed offset like '+08:00' in steps of
 * 15 minutes up to 14 hours, or an IANA name.
 */
export function isTimeZone(text: string): boolean {
  if (text.length > 64) return false;
  const offset = fixedOffset(text);
  if (offset !== undefined) return offset % OFFSET_STEP_MINUTES === 0 && Math.abs(offset) <= 14 * 60;
  // Intl also takes offsets without a colon; one spelling is enough.
  if (!/^[A-Za-z]/.test(text)) return false;
  try {
    clockOf(text);
    return true;
  } catch {
    return false;
  }
}

function fixedOffset(zone: string): number | undefined {
  if (zone === 'UTC') return 0;
  return zone.startsWith('+') || zone.startsWith('-') ? parseOffset(zone, 0) : undefined;
}

/** Minutes east of UTC of a zone's clock at an instant. */
export function offsetMinutesAt(zone: string, atMs: number): number {
  const fixed = fixedOffset(zone);
  if (fixed !== undefined) return fixed;
  // 'GMT+08:00', 'GMT' for zero, as CLDR writes longOffset in English.
  const name = clockOf(zone)
    .formatToParts(atMs)
    .find((part) => part.type === 'timeZoneName')?.value;
  const offset = name === undefined || name === 'GMT' ? 0 : parseOffset(name, 3);
  if (offset === undefined)
    throw new Error(`ZONE_OFFSET_UNREADABLE: ${zone} gave ${name}; use a fixed offset`);
  return offset;
}

/** Memo of formatters, which cost a thousand times as much to make as to use; bounded by the number of zones. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known) return known;
  const clock = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' });
  clocks.set(zone, clock);
  return clock;
}

/**
 * The zone's offsets over [fromMs, toMs), in order and without gaps. A change and its reversal within six
 * hours would be overlooked; no zone has ever done that.
 */
export function zonePieces(zone: string, fromMs: number, toMs: number): ZonePiece[] {
  const pieces: ZonePiece[] = [];
  let startMs = fromMs;
  let offset = offsetMinutesAt(zone, fromMs);
  const isFixed = fixedOffset(zone) !== undefined;
  const stepMs = isFixed ? toMs - fromMs : DAY_MS / 4;
  for (let atMs = fromMs; atMs < toMs; atMs += stepMs) {
    const nextMs = Math.min(atMs + stepMs, toMs);
    const nextOffset = offsetMinutesAt(zone, nextMs);
    if (nextOffset === offset) continue;
    const changeMs = changeBetween(zone, { fromMs: atMs, toMs: nextMs, offset });
    pieces.push(piece(startMs, changeMs, offset));
    startMs = changeMs;
    offset = nextOffset;
  }
  if (startMs < toMs) pieces.push(piece(startMs, toMs, offset));
  return pieces;
}

/** The first instant of (fromMs, toMs] with another offset, by bisection down to a minute. */
function changeBetween(zone: string, span: { fromMs: number; toMs: number; offset: number }): number {
  let before = span.fromMs / 60_000;
  let after = span.toMs / 60_000;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetMinutesAt(zone, middle * 60_000) === span.offset) before = middle;
    else after = middle;
  }
  return after * 60_000;
}

function piece(fromMs: number, toMs: number, offsetMinutes: number): ZonePiece {
  return { fromMinute: fromMs / 60_000, toMinute: toMs / 60_000, offsetMinutes };
}

/** The first minute of the epoch whose clock shows the day (a day number) or a later one. */
export function firstMinuteOfDay(day: number, zone: string): number {
  const midnight = day * 1_440;
  const pieces = zonePieces(zone, (midnight - 1_440) * 60_000, (midnight + 1_440) * 60_000);
  const from = pieces.map((one) => Math.max(one.fromMinute, midnight - one.offsetMinutes));
  const index = pieces.findIndex((one, i) => from[i]! < one.toMinute);
  return from[index]!;
}
