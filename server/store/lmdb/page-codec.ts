import { CALLBACK_COUNT, MEASURE_COUNT } from '../../../sla/facts.ts';
import { StoreFault } from '../errors.ts';
import { ALIVE_BYTES, PAGE_CALLBACKS, PAGE_SLOTS, PAGE_TALLIES } from '../page.ts';
import type { PageFacts } from '../range.ts';
import { PAGE_MINUTES } from '../store.ts';

/*
 * A page as LMDB keeps it: dense, because an LMDB value that does not fit a third of its 4 KiB leaf takes whole
 * 4 KiB pages of its own.
 *
 *     version (1 byte, 1)
 *     for each measure, its 480 counters; then the 96 late counters:
 *         n > 0        as an unsigned LEB128 number
 *         zeros in a row  as 0, then their number less one as LEB128
 *     60 bytes of alive bits, first minute in the highest bit
 *
 * Measure by measure, not minute by minute, so that the causes that hardly occur are a few bytes. A busy page is
 * about 1.3 KB, a quiet one under 100 bytes.
 */
const VERSION = 1;
const LONGEST = 1 + (PAGE_TALLIES + PAGE_SLOTS) * 5 + ALIVE_BYTES;
const scratch = Buffer.allocUnsafe(LONGEST);

export function emptyPage(): PageFacts {
  return {
    tallies: new Uint32Array(PAGE_TALLIES),
    alive: new Uint8Array(PAGE_MINUTES),
    late: new Uint32Array(PAGE_SLOTS),
  };
}

export function encodePage(page: PageFacts): Buffer {
  scratch[0] = VERSION;
  let at = 1;
  for (let measure = 0; measure < MEASURE_COUNT; measure += 1)
    at = writeColumn(page.tallies, { first: measure, step: MEASURE_COUNT, count: PAGE_MINUTES }, at);
  at = writeColumn(page.late, { first: 0, step: 1, count: PAGE_SLOTS }, at);
  for (let byte = 0; byte < ALIVE_BYTES; byte += 1) {
    let bits = 0;
    for (let bit = 0; bit < 8; bit += 1) bits = (bits << 1) | (page.alive[byte * 8 + bit] ?? 0);
    scratch[at] = bits;
    at += 1;
  }
  return Buffer.from(scratch.subarray(0, at));
}

/** @throws StoreFault STORE_DAMAGED when the bytes are not a page */
export function decodePage(bytes: Uint8Array): PageFacts {
  if (bytes[0] !== VERSION) throw damaged(`has version ${bytes[0]}`);
  const page = emptyPage();
  let at = 1;
  for (let measure = 0; measure < MEASURE_COUNT; measure += 1)
    at = readColumn(bytes, page.tallies, { first: measure, step: MEASURE_COUNT, count: PAGE_MINUTES }, at);
  at = readColumn(bytes, page.late, { first: 0, step: 1, count: PAGE_SLOTS }, at);
  if (bytes.length !== at + ALIVE_BYTES) throw damaged(`has ${bytes.length} bytes`);
  for (let minute = 0; minute < PAGE_MINUTES; minute += 1)
    page.alive[minute] = ((bytes[at + (minute >> 3)] ?? 0) >> (7 - (minute & 7))) & 1;
  return page;
}

/**
 * The callbacks of a page: a version, then for each measure its 480 counters, written as those of a page are.
 * @param counters PAGE_CALLBACKS
 */
export function encodeCallbacks(counters: Uint32Array): Buffer {
  scratch[0] = VERSION;
  let at = 1;
  for (let measure = 0; measure < CALLBACK_COUNT; measure += 1)
    at = writeColumn(counters, { first: measure, step: CALLBACK_COUNT, count: PAGE_MINUTES }, at);
  return Buffer.from(scratch.subarray(0, at));
}

/** @throws StoreFault STORE_DAMAGED when the bytes are not a page's callbacks */
export function decodeCallbacks(bytes: Uint8Array): Uint32Array {
  if (bytes[0] !== VERSION) throw damaged(`of callbacks has version ${bytes[0]}`);
  const counters = new Uint32Array(PAGE_CALLBACKS);
  let at = 1;
  for (let measure = 0; measure < CALLBACK_COUNT; measure += 1)
    at = readColumn(bytes, counters, { first: measure, step: CALLBACK_COUNT, count: PAGE_MINUTES }, at);
  if (bytes.length !== at) throw damaged(`of callbacks has ${bytes.length} bytes`);
  return counters;
}

interface Column {
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

function writeColumn(from: Uint32Array, { first, step, count }: Column, start: number): number {
  let at = start;
  for (let i = 0; i < count; i += 1) {
    const n = from[first + i * step] ?? 0;
    if (n > 0) {
      at = writeNumber(n, at);
      continue;
    }
    let run = 1;
    while (i + run < count && from[first + (i + run) * step] === 0) run += 1;
    scratch[at] = 0;
    at = writeNumber(run - 1, at + 1);
    i += run - 1;
  }
  return at;
}

function writeNumber(n: number, start: number): number {
  let at = start;
  let rest = n;
  while (rest >= 0x80) {
    scratch[at] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 0x80);
    at += 1;
  }
  scratch[at] = rest;
  return at + 1;
}

function readColumn(
  bytes: Uint8Array,
  to: Uint32Array,
  { first, step, count }: Column,
  start: number,
): number {
  let at = start;
  let i = 0;
  while (i < count) {
    let n = 0;
    let scale = 1;
    let byte: number;
    do {
      byte = bytes[at] ?? 0;
      n += (byte & 0x7f) * scale;
      scale *= 0x80;
      at += 1;
    } while (byte >= 0x80);
    if (n > 0) {
      to[first + i * step] = n;
      i += 1;
      continue;
    }
    let run = 1;
    scale = 1;
    do {
      byte = bytes[at] ?? 0;
      run += (byte & 0x7f) * scale;
      scale *= 0x80;
      at += 1;
    } while (byte >= 0x80);
    i += run;
  }
  if (i !== count || at > bytes.length) throw damaged('does not add up');
  return at;
}

function damaged(what: string): StoreFault {
  return new StoreFault('STORE_DAMAGED', `a stored page ${what}; restore the data directory from a backup`);
}
