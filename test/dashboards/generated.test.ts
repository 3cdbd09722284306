import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { describe, expect, it } from 'vitest';
import { UID } from '../../dashboards/board.ts';
import { dashboards, rendered } from '../../dashboards/build.ts';
import { truncated } from '../../dashboards/query.ts';
import { expressions, panels } from './expressions.ts';

const generated = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dashboards', 'generated');
const boards = Object.entries(dashboards()) as [string, Dashboard][];

describe('the generated dashboards', () => {
  it('are committed as the code builds them; if not: npm run dashboards', () => {
    expect(readdirSync(generated).sort()).toEqual(boards.map(([name]) => `${name}.json`).sort());
    for (const [name, board] of boards) {
      expect(readFileSync(join(generated, `${name}.json`), 'utf8'), name).toBe(rendered(board));
    }
  });

  it.each(boards)('%s gives every panel its own number and every query its own letter', (_, board) => {
    const ids = panels(board).map((panel) => panel.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const panel of panels(board)) {
      const letters = (panel.targets ?? []).map((target) => (target as { refId?: string }).refId);
      expect(letters, panel.title).toEqual(letters.map((_letter, index) => 'ABCDEFGHIJ'[index]));
    }
  });

  it.each(boards)('%s fills whole rows of the grid and lays no panel over another', (_, board) => {
    const taken = new Map<string, string>();
    for (const panel of panels(board)) {
      const { x, y, w, h } = panel.gridPos ?? { x: 0, y: 0, w: 0, h: 0 };
      expect(x + w, panel.title).toBeLessThanOrEqual(24);
      for (let row = y; row < y + h; row += 1) {
        for (let column = x; column < x + w; column += 1) {
          expect(taken.get(`${column},${row}`), `${panel.title} lies over`).toBeUndefined();
          taken.set(`${column},${row}`, panel.title ?? '');
        }
      }
    }
    const rows = new Set([...taken.keys()].map((cell) => Number(cell.split(',')[1])));
    for (const row of rows) {
      expect([...taken.keys()].filter((cell) => cell.endsWith(`,${row}`)).length, `grid row ${row}`).toBe(24);
    }
  });

  it.each(boards)(
    '%s says of every panel what it shows, and of every empty one what that means',
    (_, board) => {
      for (const panel of panels(board).filter(({ type }) => type !== 'row')) {
        expect(panel.description, panel.title).toMatch(/\.$/);
        expect(panel.fieldConfig?.defaults.noValue, panel.title).toBeTruthy();
        expect(expressions(panel).length, panel.title).toBeGreaterThan(0);
      }
    },
  );

  it('link only to dashboards that exist', () => {
    const uids = boards.map(([, board]) => board.uid);
    expect(uids.sort()).toEqual(Object.values(UID).sort());
    for (const [, board] of boards) {
      for (const [, uid] of JSON.stringify(board).matchAll(/\/d\/([\w-]+)/g)) expect(uids).toContain(uid);
    }
  });
});

describe('an availability on a dashboard', () => {
  // The same arithmetic as PromQL's: IEEE doubles.
  const shown = (lost: number, windows: number) => {
    const availability = 1 - lost / windows;
    return Math.floor(availability * 1e5 + 1e-6) / 1e5;
  };

  it('is cut, never rounded: nine lost windows in a month are not 99.90 %', () => {
    expect(truncated('x')).toBe('floor(x * 1e5 + 1e-6) / 1e5');
    expect(shown(9, 8928)).toBe(0.99899);
    expect(shown(9, 8640)).toBe(0.99895);
  });

  it('agrees with integers for every loss of every length of month', () => {
    for (let days = 1; days <= 31; days += 1) {
      const windows = 288 * days;
      for (let lost = 0; lost <= windows; lost += 1) {
        const exact = Number((BigInt(windows - lost) * 100_000n) / BigInt(windows));
        if (Math.round(shown(lost, windows) * 1e5) !== exact) {
          expect.fail(`${lost} of ${windows}: ${shown(lost, windows)}, not ${exact}e-5`);
        }
      }
    }
  });
});
