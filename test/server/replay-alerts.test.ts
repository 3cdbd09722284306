import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PLAN_DEFAULTS } from '../../agent/simulate/plan.ts';
import { simulate } from '../../agent/simulate/run.ts';
import { readScript, shippedScripts } from '../../agent/simulate/script.ts';
import { replayCommand } from '../../server/commands/replay.ts';
import { runCommand } from '../support/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'replay-alerts-'));
afterAll(() => rmSync(folder, { recursive: true }));

const HOUR_MS = 3_600_000;

interface Printed {
  readonly decidedAt: string;
  readonly sentAt: string;
  readonly kind: string;
  readonly step: string;
  readonly line: string;
  readonly receivers: readonly string[] | null;
  readonly firstLine: string;
}

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const UTC = file('utc.yaml', 'timeZone: UTC\n');

/** Outcomes around a public incident, by the simulation that ships with the agent: from two hours before it on. */
function incidentFile(script: string): Promise<string> {
  const known = files.get(script) ?? writeIncident(script);
  files.set(script, known);
  return known;
}

const files = new Map<string, Promise<string>>();

async function writeIncident(script: string): Promise<string> {
  const read = readScript(script, folder);
  if (!read.ok) throw new Error(read.message);
  const [incident] = read.value;
  const lines: string[] = [];
  await simulate({
    plan: { ...PLAN_DEFAULTS, services: ['acme'], failureShare: 0, incidents: read.value },
    fromMs: incident!.fromMs - 2 * HOUR_MS,
    toMs: incident!.toMs + HOUR_MS,
    dueMs: () => Number.POSITIVE_INFINITY,
    sink: {
      take: (outcome) => void lines.push(JSON.stringify(outcome)),
      minuteEnded: async () => {},
      settle: async () => {},
    },
    signal: new AbortController().signal,
  });
  return file(`${script}.ndjson`, lines.join('\n'));
}

async function alerts(args: readonly string[]): Promise<Printed[]> {
  const { code, stdout, stderr } = await runCommand(replayCommand, [...args, '--alerts', '--json']);
  expect(code, stderr).toBe(0);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Printed);
}

/** Of an incident's day: 'HH:MM:SS kind step line'. */
const onDay = (day: string, printed: readonly Printed[]) =>
  printed
    .filter(({ decidedAt }) => decidedAt.startsWith(day))
    .map(({ decidedAt, kind, step, line }) => [decidedAt.slice(11, 19), kind, step, line].join(' ').trim());

/**
 * What each incident says on its day, by arithmetic: entry fails at the end of the minute that brings the trailing
 * five minutes under 99 %, and works again five minutes after they are free of it; the eighth window's end and its
 * 15 s are the last window, the ninth's the breach. `near` follows the forecast and is told apart.
 */
const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  // Eight minutes, three windows: nothing about the month.
  '2025-12-28': ['00:29:59 firing entry-failing', '00:46:59 resolved entry-failing'],
  // 19:50 to 20:13, five windows.
  '2023-02-13': ['19:50:59 firing entry-failing', '20:22:59 resolved entry-failing'],
  // One in twenty from 12:06 on: of five minutes that is a hundredth after the first, and more after the second.
  '2026-06-02': [
    '12:07:59 firing entry-failing',
    '12:45:15 firing last-window 99.9',
    '12:50:15 firing breached 99.9',
    '13:07:59 reminder entry-failing',
    '14:07:59 reminder entry-failing',
    '14:47:59 resolved entry-failing',
  ],
  '2025-03-31': [
    '15:10:59 firing entry-failing',
    '15:50:15 firing last-window 99.9',
    '15:55:15 firing breached 99.9',
    '16:10:59 reminder entry-failing',
    '16:53:59 resolved entry-failing',
  ],
  '2021-02-26': [
    '13:00:59 firing entry-failing',
    '13:40:15 firing last-window 99.9',
    '13:45:15 firing breached 99.9',
    '14:00:59 reminder entry-failing',
    '15:00:59 reminder entry-failing',
    '15:39:59 resolved entry-failing',
  ],
};

describe('replay --alerts', () => {
  it('knows every script that ships', () => {
    expect(Object.keys(EXPECTED).sort()).toEqual(shippedScripts());
  });

  for (const [script, expected] of Object.entries(EXPECTED)) {
    it(`says of the public incident of ${script} each step once, when it was due`, {
      timeout: 60_000,
    }, async () => {
      const path = await incidentFile(script);
      const month = script.slice(0, 7);
      const printed = await alerts([path, '--service', 'acme', '--month', month, '--terms', UTC]);
      const said = onDay(script, printed);
      expect(said.filter((line) => !line.includes(' near '))).toEqual(expected);
      const near = said.findIndex((line) => line.includes('firing near'));
      expect(near).toBeGreaterThan(0);
      expect(said.slice(0, near).join()).not.toMatch(/last-window|breached/);
      expect(said.filter((line) => line.includes('firing near'))).toHaveLength(1);
      // What fired has ended by the claim's deadline, and what needs no claim has none.
      const count = (kind: string) => printed.filter((one) => one.kind === kind).length;
      expect(count('resolved')).toBe(count('firing'));
      const isBreached = expected.some((line) => line.includes('breached'));
      expect(printed.some(({ step }) => step === 'claim')).toBe(isBreached);
      for (const { decidedAt, sentAt } of printed) {
        const waitMs = Date.parse(sentAt) - Date.parse(decidedAt);
        expect(waitMs).toBeGreaterThanOrEqual(0);
        expect(waitMs).toBeLessThanOrEqual(3_000);
      }
    });
  }

  it('follows the settings, the receivers and the terms of --config', { timeout: 60_000 }, async () => {
    const path = await incidentFile('2025-12-28');
    const config = file(
      'roomwatch.json',
      JSON.stringify({
        terms: { timeZone: 'UTC' },
        alerting: {
          groupWaitMs: 0,
          steps: { budget: { forMs: 60_000 }, near: { enabled: false } },
          budget: { lostShare: 0.25 },
          receivers: [
            { name: 'pager', type: 'webhook', url: 'http://127.0.0.1:9/', minSeverity: 'critical' },
            { name: 'room', type: 'webhook', url: 'http://127.0.0.1:9/' },
          ],
        },
      }),
    );
    const printed = await alerts([path, '--service', 'acme', '--month', '2025-12', '--config', config]);
    expect(onDay('2025-12-28', printed)).toEqual([
      '00:29:59 firing entry-failing',
      '00:36:00 firing budget 99.9',
      '00:46:59 resolved entry-failing',
    ]);
    expect(printed.slice(0, 2).map(({ receivers }) => receivers)).toEqual([['pager', 'room'], ['room']]);
    expect(printed.every(({ sentAt, decidedAt }) => sentAt === decidedAt)).toBe(true);
  });

  it('prints for people the time on both clocks, the step and the first line, and nothing at or after --now', {
    timeout: 60_000,
  }, async () => {
    const path = await incidentFile('2025-12-28');
    const args = [path, '--service', 'acme', '--month', '2025-12', '--alerts'];
    const whole = await runCommand(replayCommand, args);
    expect(whole.stdout).toMatch(
      /^2025-12-28 08:29:59 {2}2025-12-28T00:29:59Z {2}fired +critical +entry-failing$/m,
    );
    expect(whole.stdout).toMatch(/^ {4}If this continues, 99\.9 % is lost at 09:10 UTC\+8/m);
    expect(whole.stdout).toMatch(/\d fired, 0 said again, \d resolved\n$/);
    const early = await runCommand(replayCommand, [...args, '--now', '2025-12-28T00:29:00Z']);
    expect(early.stdout).toContain('nothing would have been said');
  });

  it('refuses what does not go together, and a configuration with a fault', async () => {
    const path = file('empty.ndjson', '');
    const args = [path, '--service', 'acme', '--month', '2025-12'];
    const refused = async (...more: string[]) => {
      const { code, stderr } = await runCommand(replayCommand, [...args, ...more]);
      expect(code).toBe(2);
      return stderr;
    };
    expect(await refused('--config', UTC)).toContain('--config is for --alerts');
    expect(await refused('--alerts', '--explain', '2025-12-02T00:00:00Z')).toContain('two answers');
    const faulty = file('faulty.json', JSON.stringify({ alerting: { groupWaitMs: -1 } }));
    expect(await refused('--alerts', '--config', faulty)).toContain('alerting.groupWaitMs');
  });
});
