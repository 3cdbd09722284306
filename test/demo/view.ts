import type { Reading } from '../../sla/reading.ts';
import type { DemoPlan } from './plan.ts';

/** What the demo's screen is drawn from, twice a second. */
export interface DemoView {
  readonly url: string;
  readonly plan: DemoPlan;
  readonly nowMs: number;
  /** null until the daemon has heard of the service */
  readonly reading: Reading | null;
  readonly windows: readonly WindowRow[];
  readonly mails: readonly { readonly subject: string; readonly sentAtMs: number }[];
  readonly agentsConnected: number;
}

/** One window as the daemon's API tells it. */
export interface WindowRow {
  readonly start: string;
  readonly verdict: string;
  readonly attempts: number;
  readonly failures: number;
}

interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
}

const HOUR_MS = 3_600_000;
const DAY_HOURS = 24;
/** From the mildest to the worst: an hour is drawn as the worst of its twelve windows. */
const MARKS = [
  { verdict: 'none', mark: ' ', paint: '' },
  { verdict: 'unmeasured', mark: '?', paint: '\x1b[90m' },
  { verdict: 'idle', mark: '.', paint: '\x1b[90m' },
  { verdict: 'excluded', mark: 'x', paint: '\x1b[34m' },
  { verdict: 'up', mark: '·', paint: '\x1b[32m' },
  { verdict: 'down', mark: '█', paint: '\x1b[31m' },
] as const;

/** One line for where there is no terminal. */
export function renderLine(view: DemoView): string {
  const { reading, mails, agentsConnected } = view;
  const time = new Date(view.nowMs).toISOString().slice(11, 19);
  if (!reading) return `${time}  ${agentsConnected} agents, nothing counted yet`;
  const { budget, availability, attempts } = reading;
  const entries = attempts.toLocaleString('en');
  return `${time}  ${budget.left} of ${budget.allowed} windows left, ${availability.display} observed, ${entries} entries, ${agentsConnected} agents, ${mails.length} mails${mails.length > 0 ? `, last: ${mails.at(-1)!.subject}` : ''}`;
}

/** The whole screen: headline, the month as days x hours, what is happening now, the last mails. */
export function renderDemo(view: DemoView, screen: Screen): string {
  const paint = (code: string, text: string) => (screen.colour && code ? `${code}${text}\x1b[0m` : text);
  const bold = (text: string) => paint('\x1b[1m', text);
  const dim = (text: string) => paint('\x1b[90m', text);
  const { reading, plan } = view;
  const head = [`${bold('roomwatch demo')}  ${dim(`${view.url}  ·  Ctrl-C ends it`)}`, ''];
  if (!reading) return lines([...head, 'Waiting for the first batch of the agents ...'], screen);

  const { budget, availability, projection } = reading;
  const isTight = budget.left <= 2;
  const left = paint(
    isTight ? '\x1b[1;31m' : '\x1b[1;32m',
    `${budget.left} of ${budget.allowed} windows left`,
  );
  const breach = Math.round((projection.breachProbability[reading.lines[0]!.target] ?? 0) * 100);
  const open = reading.openWindow;
  const now = open
    ? `window ${open.start.slice(11, 16)} UTC: ${open.failures} of ${open.attempts} failed${open.alreadyLost ? paint('\x1b[1;31m', ', already lost') : ''}`
    : 'no window in progress';
  const body = [
    `${left}   ${availability.display} observed   ${breach} % chance of a breach   voucher ${reading.voucherPercent} %`,
    dim(
      `acme, ${reading.month} (UTC${plan.timeZone})   ${reading.attempts.toLocaleString('en')} entries by ${view.agentsConnected} agents`,
    ),
    '',
    ...grid(view).map(
      ({ label, cells }) => `${dim(label)} ${cells.map(([code, mark]) => paint(code, mark)).join('')}`,
    ),
    dim(
      `   ${MARKS.slice(1)
        .map(({ mark, verdict }) => `${mark} ${verdict}`)
        .join('  ')}   an hour shows its worst window`,
    ),
    '',
    now,
    '',
    bold(`Mails (${view.mails.length})`),
  ];
  const room = Math.max(1, screen.rows - head.length - body.length - 1);
  const mails = view.mails
    .slice(-room)
    .map((mail) => `  ${new Date(mail.sentAtMs).toISOString().slice(11, 19)}  ${mail.subject}`);
  return lines([...head, ...body, ...(mails.length > 0 ? mails : [dim('  none yet')])], screen);
}

function grid({ plan, windows }: DemoView): { label: string; cells: (readonly [string, string])[] }[] {
  const worst = new Map<number, number>();
  for (const { start, verdict } of windows) {
    const hour = Math.floor((Date.parse(start) - plan.fromMs) / HOUR_MS);
    const rank = MARKS.findIndex((one) => one.verdict === verdict);
    worst.set(hour, Math.max(worst.get(hour) ?? 0, rank));
  }
  const days = Math.max(1, Math.ceil((Math.max(0, ...worst.keys()) + 1) / DAY_HOURS));
  return Array.from({ length: days }, (_, day) => ({
    label: String(day + 1).padStart(2),
    cells: Array.from({ length: DAY_HOURS }, (_, hour) => {
      const { mark, paint } = MARKS[worst.get(day * DAY_HOURS + hour) ?? 0]!;
      return [paint, mark.repeat(2)] as const;
    }),
  }));
}

/** Each line cleared to its end, and no more lines than the screen has. */
function lines(all: readonly string[], { rows }: Screen): string {
  return all
    .slice(0, Math.max(1, rows - 1))
    .map((line) => `${line}\x1b[K`)
    .join('\n');
}
