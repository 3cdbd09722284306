import { alertingSchema } from '../../alerts/config.ts';
import { createCauseLookup } from '../../sla/causes.ts';
import type { Exclusion } from '../../sla/exclusion.ts';
import { explainWindow } from '../../sla/explain.ts';
import { instantText } from '../../sla/instant.ts';
import { judgeMonth } from '../../sla/judge-month.ts';
import { type ServiceMonth, serviceMonth } from '../../sla/month.ts';
import { type ReadInput, read } from '../../sla/read.ts';
import { presetTerms, type Terms } from '../../sla/terms.ts';
import { quote } from '../../sla/text.ts';
import { windowOf } from '../../sla/window.ts';
import { type Config, termsOf } from '../config/config.ts';
import { loadExclusions } from '../config/exclusions-file.ts';
import { faultText } from '../config/faults.ts';
import { loadConfig } from '../config/load.ts';
import { replayNotes } from '../replay/notes.ts';
import { type Progress, progressLine } from '../replay/progress.ts';
import { rehearsedAlerts, rehearsedNdjson, rehearsedText } from '../replay/rehearsed-alerts.ts';
import { replay } from '../replay/replay.ts';
import { ID_SPAN_MINUTES } from '../replay/replay-books.ts';
import { openSources, SourceUnreadable } from '../replay/source.ts';
import { loadTerms } from '../replay/terms-file.ts';
import { explanationText } from '../report/explanation.ts';
import { monthReport } from '../report/month-report.ts';
import { viewOf } from '../report/month-view.ts';
import { type Command, type CommandIo, EXIT, type ExitCode } from './command.ts';
import {
  COLUMNS_DEFAULT,
  instantOption,
  jsonText,
  parseOptions,
  required,
  serviceOption,
  styleOf,
  UsageFault,
  withFaults,
  write,
} from './usage.ts';

const USAGE = `Usage: roomwatch replay FILE... --service S --month YYYY-MM [options]

Reads a service month straight from outcome files: no daemon, no store, and memory that does not grow with
the files. A file is NDJSON, one outcome a line, plain or gzip; - is standard input.

  --service S          whose outcomes are counted; a record that names no service is taken for S's
  --month YYYY-MM      the month, in the contract's zone
  --terms FILE         terms (YAML or JSON); default: the preset trtc
  --exclusions FILE    a list of exclusions (YAML or JSON)
  --now T              read as of T, with nothing that started then or later; default: the end of the month
  --alerts             print every alert that the month would have sent instead: to tune settings on history
  --config FILE        the daemon's configuration, for --alerts: its alerting settings and receivers, and its
                       terms and exclusions where none are given here; default: the default settings
  --explain T          say why the window of T has its verdict, instead of the whole month
  --id-memory SPAN     a repeated id counts once if the two outcomes started at most this far apart, like 90m,
                       24h or 2d; default 24h
  --json               print the reading as JSON; with --alerts one object a line
  --strict             exit 1 if any record was refused

Records that are not valid outcomes are left out and counted by reason on stderr. Between the first and the
last outcome of S every window counts as watched. A forecast knows this month's windows only, not earlier ones.

--alerts looks at the end of every minute and whenever a wait runs out; a daemon looks twice a second, so what
begins within a minute is said up to a minute earlier there. It sends nothing. Files hold no blindness, silences
or acknowledgements; outcomes are taken as on time and exclusions as entered before the month. It goes on to the
deadline of the month's claim, or to --now.

Exit codes: 0 done; 1 refused records with --strict, or stopped; 2 bad usage or input that cannot be read.
`;

const OPTIONS = {
  service: { type: 'string' },
  month: { type: 'string' },
  terms: { type: 'string' },
  exclusions: { type: 'string' },
  now: { type: 'string' },
  explain: { type: 'string' },
  alerts: { type: 'boolean' },
  config: { type: 'string' },
  'id-memory': { type: 'string' },
  json: { type: 'boolean' },
  strict: { type: 'boolean' },
} as const;

const PROGRESS_EVERY_MS = 100;

export const replayCommand: Command = {
  name: 'replay',
  summary: 'read a month straight from outcome files',
  usage: USAGE,
  run: (args, io) => withFaults(io, () => runReplay(args, io)),
};

async function runReplay(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values, positionals } = parseOptions(args, OPTIONS);
  if (positionals.length === 0) {
    throw new UsageFault('USAGE_INVALID', 'no file is named; name outcome files, or - for standard input');
  }
  const service = serviceOption(values.service);
  if (values.config !== undefined && !values.alerts) {
    throw new UsageFault(
      'USAGE_INVALID',
      '--config is for --alerts; add it, or use --terms and --exclusions',
    );
  }
  if (values.alerts && values.explain !== undefined) {
    throw new UsageFault('USAGE_INVALID', '--alerts and --explain are two answers; ask for one of them');
  }
  const config = values.config === undefined ? undefined : readConfig(values.config, io);
  const configuredTerms = config === undefined ? presetTerms('trtc') : termsOf(config, service);
  const terms = values.terms === undefined ? configuredTerms : readTerms(values.terms);
  const month = monthOption(values.month, terms);
  const exclusions =
    values.exclusions === undefined ? (config?.exclusions ?? []) : readExclusions(values.exclusions, terms);
  const nowMs = values.now === undefined ? undefined : instantOption('now', values.now);
  const explainAtMs = values.explain === undefined ? undefined : instantOption('explain', values.explain);
  const explained = explainAtMs === undefined ? undefined : explainedWindow(explainAtMs, month);
  const idMemory = values['id-memory'] ?? `${ID_SPAN_MINUTES / 60}h`;
  const idSpanMinutes = spanOption(idMemory);

  const progress = new ProgressDisplay(io);
  let replayed: Awaited<ReturnType<typeof replay>>;
  try {
    const sources = await openSources(positionals, io.stdin);
    const request = {
      service,
      month,
      endMs: nowMs ?? Number.POSITIVE_INFINITY,
      idSpanMinutes,
      lookup: createCauseLookup(),
    };
    replayed = await replay(sources, request, { signal: io.signal, onProgress: (now) => progress.show(now) });
  } catch (error) {
    if (!(error instanceof SourceUnreadable)) throw error;
    throw new UsageFault(error.code, error.message, { cause: error });
  } finally {
    progress.clear();
  }
  if (!replayed.isComplete) {
    await write(
      io.stderr,
      `stopped after ${replayed.lines.toLocaleString('en-US')} lines; no reading was made\n`,
    );
    return EXIT.no;
  }

  const notes = replayNotes(replayed, { service, month: month.month, idMemory });
  if (notes.length > 0) await write(io.stderr, `${notes.join('\n')}\n`);
  const ofService = exclusions.filter((exclusion) => exclusion.service === service);
  const input: ReadInput = {
    service,
    month,
    facts: replayed.facts,
    terms,
    exclusions: ofService,
    nowMs: nowMs ?? month.endMs,
  };
  const verdicts = judgeMonth(input);
  const style = styleOf(io);
  let text: string;
  if (values.alerts) {
    const alerting = config?.alerting ?? alertingSchema.parse({});
    const found = await rehearsedAlerts({ ...input, alerting, untilMs: nowMs }, io.signal);
    if (io.signal.aborted) return EXIT.no;
    text = values.json ? rehearsedNdjson(found) : rehearsedText(found, month.timeZone);
  } else if (explained !== undefined) {
    const explanation = explainWindow(verdicts, explained, ofService);
    text = values.json
      ? jsonText(explanation)
      : explanationText(service, explanation, { ...style, timeZone: month.timeZone });
  } else {
    const reading = read(input);
    text = values.json ? jsonText(reading) : monthReport(reading, viewOf(service, verdicts, reading), style);
  }
  await write(io.stdout, text);
  return values.strict && replayed.refusals.length > 0 ? EXIT.no : EXIT.done;
}

/** A line on stderr that is drawn over itself; nothing unless stderr is a terminal. */
class ProgressDisplay {
  readonly #io: CommandIo;
  readonly #startedAtMs: number;
  #shownAtMs: number;
  #isShown = false;

  constructor(io: CommandIo) {
    this.#io = io;
    this.#startedAtMs = io.now();
    this.#shownAtMs = this.#startedAtMs;
  }

  show(now: Omit<Progress, 'elapsedMs'>): void {
    const { stderr } = this.#io;
    const atMs = this.#io.now();
    if (!stderr.isTTY || atMs - this.#shownAtMs < PROGRESS_EVERY_MS) return;
    this.#shownAtMs = atMs;
    this.#isShown = true;
    const line = progressLine(
      { ...now, elapsedMs: atMs - this.#startedAtMs },
      stderr.columns ?? COLUMNS_DEFAULT,
    );
    stderr.write(`\r\x1b[K${line}`);
  }

  clear(): void {
    if (this.#isShown) this.#io.stderr.write('\r\x1b[K');
  }
}

function monthOption(value: string | undefined, terms: Terms): ServiceMonth {
  const found = serviceMonth(required('month', value, '2026-11'), terms);
  if (found.ok) return found.month;
  throw new UsageFault('MONTH_INVALID', `--month: ${found.message}`);
}

/** @throws UsageFault for an instant outside the month: a misspelt day must not be answered with another window */
function explainedWindow(atMs: number, month: ServiceMonth): number {
  const window = windowOf(month, Math.floor(atMs / 60_000));
  if (window >= 0) return window;
  const range = `${instantText(month.startMs)} to ${instantText(month.endMs)}`;
  throw new UsageFault(
    'USAGE_INVALID',
    `--explain is outside ${month.month}; write an instant from ${range}`,
  );
}

const SPAN_UNITS = { m: 1, h: 60, d: 1_440 } as const;
const SPAN_MAX_MINUTES = 31 * 1_440;

function spanOption(text: string): number {
  const parts = /^(\d{1,5})([mhd])$/.exec(text);
  const minutes = parts === null ? 0 : Number(parts[1]) * SPAN_UNITS[parts[2] as keyof typeof SPAN_UNITS];
  if (minutes >= 1 && minutes <= SPAN_MAX_MINUTES) return minutes;
  throw new UsageFault(
    'USAGE_INVALID',
    `--id-memory is ${quote(text)}; write 1m to 31d, like 90m, 24h or 2d`,
  );
}

function readConfig(file: string, { env }: CommandIo): Config {
  const loaded = loadConfig({ file, env, cwd: process.cwd() });
  if (loaded.ok) return loaded.config;
  throw new UsageFault('CONFIG_INVALID', loaded.faults.map(faultText).join('\n'));
}

function readTerms(file: string): Terms {
  const loaded = loadTerms(file);
  if (loaded.ok) return loaded.terms;
  throw new UsageFault('TERMS_INVALID', loaded.faults.map(faultText).join('\n'));
}

function readExclusions(file: string, terms: Terms): readonly Exclusion[] {
  const loaded = loadExclusions(file, { service: null, termsOf: () => terms });
  if (loaded.ok) return loaded.exclusions;
  throw new UsageFault('EXCLUSIONS_INVALID', loaded.faults.map(faultText).join('\n'));
}
