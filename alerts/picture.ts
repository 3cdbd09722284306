import { crc32, deflateSync } from 'node:zlib';
import type { MonthHours } from './alert.ts';

/**
 * The month as a picture: one row for each day, one cell for each hour, darker with every lost window.
 * A PNG (RFC 2083) with a palette, written here because a mail needs nothing more of an image library.
 */

const PALETTE = {
  paper: [255, 255, 255],
  ink: [102, 112, 133],
  future: [242, 244, 247],
  /** No window lost; whether there was traffic is not said. */
  clear: [209, 233, 221],
  few: [253, 176, 34],
  some: [240, 68, 56],
  most: [122, 16, 16],
} as const;
const COLOURS = Object.keys(PALETTE) as (keyof typeof PALETTE)[];

/** Pixels of the picture for each pixel of the page: mails are read on phones. */
const DENSITY = 2;
const CELL_WIDTH = 32;
const CELL_HEIGHT = 20;
const GAP = 4;
const LEFT = 34;
const TOP = 24;
/** Pixels of each dot of a digit, so that it is as high as a row. */
const DOT = 3;
const HOURS_A_DAY = 24;
const LABELLED_HOURS = [0, 6, 12, 18];

/** Digits, 3 by 5, one bit for each pixel, the top row first. */
const DIGITS = [
  0o75557, 0o26227, 0o71747, 0o71717, 0o55711, 0o74717, 0o74757, 0o71111, 0o75757, 0o75717,
] as const;

/** How wide it is shown. */
export const PICTURE_WIDTH = (LEFT + HOURS_A_DAY * (CELL_WIDTH + GAP)) / DENSITY;

/** @returns the PNG's bytes, some kilobytes */
export function monthPicture(month: MonthHours): Buffer {
  const days = Math.max(1, Math.ceil(month.hours.length / HOURS_A_DAY));
  const canvas = new Canvas(LEFT + HOURS_A_DAY * (CELL_WIDTH + GAP), TOP + days * (CELL_HEIGHT + GAP));
  for (const hour of LABELLED_HOURS) canvas.number(LEFT + hour * (CELL_WIDTH + GAP), 4, hour);
  for (let day = 0; day < days; day += 1) {
    const y = TOP + day * (CELL_HEIGHT + GAP);
    canvas.number(2, y + 3, month.firstDay + day);
    for (let hour = 0; hour < HOURS_A_DAY; hour += 1) {
      const lost = month.hours[day * HOURS_A_DAY + hour];
      if (lost === undefined) continue;
      canvas.fill(LEFT + hour * (CELL_WIDTH + GAP), y, CELL_WIDTH, CELL_HEIGHT, colourOf(lost));
    }
  }
  return canvas.png();
}

function colourOf(lost: string): keyof typeof PALETTE {
  if (lost === '.') return 'future';
  const count = Number.parseInt(lost, 36);
  if (count === 0) return 'clear';
  if (count <= 2) return 'few';
  return count <= 6 ? 'some' : 'most';
}

class Canvas {
  readonly #width: number;
  readonly #height: number;
  /** Rows of palette indices, each behind a filter byte of 0 (none), as PNG wants them. */
  readonly #pixels: Uint8Array;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#pixels = new Uint8Array((width + 1) * height);
  }

  fill(x: number, y: number, width: number, height: number, colour: keyof typeof PALETTE): void {
    for (let row = y; row < y + height; row += 1) {
      const start = row * (this.#width + 1) + 1 + x;
      this.#pixels.fill(COLOURS.indexOf(colour), start, start + width);
    }
  }

  number(x: number, y: number, value: number): void {
    for (const [i, digit] of [...String(value)].entries()) {
      const bits = DIGITS[Number(digit)] ?? 0;
      for (let bit = 0; bit < 15; bit += 1) {
        const isSet = ((bits >> (14 - bit)) & 1) === 1;
        if (!isSet) continue;
        const [column, row] = [i * 4 + (bit % 3), Math.floor(bit / 3)];
        this.fill(x + column * DOT, y + row * DOT, DOT, DOT, 'ink');
      }
    }
  }

  png(): Buffer {
    const header = Buffer.alloc(13);
    header.writeUInt32BE(this.#width, 0);
    header.writeUInt32BE(this.#height, 4);
    // Eight bits for each pixel, colours from the palette, the only compression, filter and interlace there are.
    header.set([8, 3, 0, 0, 0], 8);
    return Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
      chunk('IHDR', header),
      chunk('PLTE', Buffer.from(COLOURS.flatMap((name) => [...PALETTE[name]]))),
      chunk('IDAT', deflateSync(this.#pixels)),
      chunk('IEND', Buffer.alloc(0)),
    ]);
  }
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'ascii'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
