import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const style = readFileSync(new URL('../../dashboards/page/style.css', import.meta.url), 'utf8');
const [light = '', dark = ''] = [...style.matchAll(/:root \{([^}]*)\}/g)].map((match) => match[1]);
const palette = (block: string) =>
  Object.fromEntries(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((match) => [match[1]!, match[2]!]),
  );
const PALETTES = { light: palette(light), dark: { ...palette(light), ...palette(dark) } };

/** Linear light, 0 to 1. */
type Rgb = readonly [number, number, number];

function linear(colour: string): Rgb {
  const channel = (at: number) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

/** WCAG 2: relative luminance, contrast. */
const luminance = ([r, g, b]: Rgb) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
function contrast(one: string, other: string): number {
  const [high, low] = [luminance(linear(one)), luminance(linear(other))].sort((a, b) => b - a) as [
    number,
    number,
  ];
  return (high + 0.05) / (low + 0.05);
}

/** Machado, Oliveira and Fernandes (2009), severity 1. */
const VISIONS: Readonly<Record<string, readonly Rgb[]>> = {
  ordinary: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function seen(colour: string, vision: readonly Rgb[]): Rgb {
  const from = linear(colour);
  const [r, g, b] = vision.map((row) =>
    Math.min(
      1,
      Math.max(
        0,
        row.reduce((sum, weight, i) => sum + weight * from[i]!, 0),
      ),
    ),
  );
  return [r!, g!, b!];
}

/** CIE Lab, and the distance in it (1976): about 2 is just noticeable, 20 is another colour. */
function lab(colour: Rgb): Rgb {
  const [r, g, b] = colour;
  const f = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = f(luminance(colour));
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}
function distance(one: Rgb, other: Rgb): number {
  const [a, b] = [lab(one), lab(other)];
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

describe.each(Object.entries(PALETTES))('the %s palette', (_name, colours) => {
  it('writes in at least 4.5 to 1 on both of its grounds', () => {
    for (const text of ['ink', 'soft', 'faint', 'accent', 'good', 'near', 'lost']) {
      for (const ground of ['paper', 'raised']) {
        expect(contrast(colours[text]!, colours[ground]!), `${text} on ${ground}`).toBeGreaterThanOrEqual(
          4.5,
        );
      }
    }
  });

  it.each(Object.entries(VISIONS))(
    'keeps a lost window apart from every other in %s vision',
    (_vision, matrix) => {
      for (const other of ['paper', 'clean', 'some', 'close', 'idle', 'excluded', 'unmeasured']) {
        const apart = distance(seen(colours.lost!, matrix), seen(colours[other]!, matrix));
        expect(apart, other).toBeGreaterThan(25);
      }
    },
  );

  it.each(Object.entries(VISIONS))(
    'keeps the shades of up apart, darker with failures, in %s vision',
    (_vision, matrix) => {
      const shades = ['paper', 'clean', 'some', 'close'].map((name) => seen(colours[name]!, matrix));
      const steps = shades.slice(1).map((shade, i) => luminance(shade) - luminance(shades[i]!));
      // Away from the ground, in one direction: darker on paper, brighter in the dark.
      expect(new Set(steps.map(Math.sign)).size).toBe(1);
      shades.slice(1).forEach((shade, i) => {
        expect(distance(shade, shades[i]!)).toBeGreaterThan(8);
      });
    },
  );
});
