import { type Explanation, explainWindow } from '../../sla/explain.ts';
import { instantText } from '../../sla/instant.ts';
import { judgeMonth } from '../../sla/judge-month.ts';
import { monthAt, serviceMonth } from '../../sla/month.ts';
import { windowOf } from '../../sla/window.ts';
import { exclusionsInForce } from '../exclusions.ts';
import { explanationText } from '../report/explanation.ts';
import { withBooks } from './books.ts';
import { type Command, type CommandIo, EXIT, type ExitCode } from './command.ts';
import { askDaemon, daemonAddress } from './remote.ts';
import {
  instantOption,
  jsonText,
  noPositionals,
  parseOptions,
  required,
  serviceOption,
  styleOf,
  UsageFault,
  withFaults,
  write,
} from './usage.ts';

const USAGE = `Usage: roomwatch explain --service S --at T [options]

Says why the window of an instant has its verdict: what was counted, what was left out and by whom, the rule,
and what would change it. For outcome files: roomwatch replay FILE... --explain T.

  --service S         the service
  --at T              an instant in the window, like 2026-11-03T10:02:00+08:00
  --json              print the explanation as JSON
  --server URL        ask a daemon instead of opening its store
  --token-file FILE   with --server: the reader's token (default: ROOMWATCH_TOKEN)
  --config FILE       whose store, terms and exclusions; default: the store in ./data

Exit codes: 0 done; 2 bad usage, or the books cannot be read.
`;

const OPTIONS = {
  service: { type: 'string' },
  at: { type: 'string' },
  json: { type: 'boolean' },
  server: { type: 'string' },
  'token-file': { type: 'string' },
  config: { type: 'string' },
} as const;

export const explainCommand: Command = {
  name: 'explain',
  summary: 'say why a window has its verdict',
  usage: USAGE,
  run: (args, io) => withFaults(io, () => runExplain(args, io)),
};

async function runExplain(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values, positionals } = parseOptions(args, OPTIONS);
  noPositionals(positionals);
  const service = serviceOption(values.service);
  const atMs = instantOption('at', required('at', values.at, '2026-11-03T10:02:00+08:00'));
  const { server, config: file } = values;
  const { explanation, timeZone } =
    server === undefined
      ? await fromStore({ file, service, atMs }, io)
      : await fromDaemon({ server, tokenFile: values['token-file'], service, atMs }, io);
  const text = values.json
    ? jsonText(explanation)
    : explanationText(service, explanation, { ...styleOf(io), timeZone });
  await write(io.stdout, text);
  return EXIT.done;
}

interface Explained {
  readonly explanation: Explanation;
  readonly timeZone: string;
}

async function fromDaemon(
  asked: {
    readonly server: string;
    readonly tokenFile: string | undefined;
    readonly service: string;
    readonly atMs: number;
  },
  io: CommandIo,
): Promise<Explained> {
  const query = new URLSearchParams({ at: instantText(asked.atMs) });
  const path = `/api/v1/services/${encodeURIComponent(asked.service)}/explain?${query}`;
  const answer = await askDaemon(daemonAddress(asked, io), path, io.signal);
  // The daemon's own shape, of the same version; it does not say which zone the contract has.
  return { explanation: JSON.parse(answer) as Explanation, timeZone: 'UTC' };
}

function fromStore(
  { file, service, atMs }: { file: string | undefined; service: string; atMs: number },
  io: CommandIo,
): Promise<Explained> {
  return withBooks({ file, service }, io, async ({ terms, entries, factsOf }) => {
    const found = serviceMonth(monthAt(atMs, terms), terms);
    const window = found.ok ? windowOf(found.month, Math.floor(atMs / 60_000)) : -1;
    if (!found.ok || window < 0) {
      const why = found.ok ? 'the service period does not include it' : found.message;
      throw new UsageFault('USAGE_INVALID', `--at is in no service month: ${why}`);
    }
    const { month } = found;
    const exclusions = exclusionsInForce(entries).filter((exclusion) => exclusion.service === service);
    const facts = await factsOf(month);
    const verdicts = judgeMonth({ month, facts, terms, exclusions, nowMs: io.now() });
    return { explanation: explainWindow(verdicts, window, exclusions), timeZone: month.timeZone };
  });
}
