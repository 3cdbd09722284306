import { serviceMonth } from '../../sla/month.ts';
import { quote } from '../../sla/text.ts';
import { monthStatement } from '../statement/month-statement.ts';
import { renderStatement, STATEMENT_FORMATS, type StatementFormat } from '../statement/render.ts';
import { withBooks } from './books.ts';
import { type Command, type CommandIo, EXIT, type ExitCode } from './command.ts';
import { askDaemon, daemonAddress } from './remote.ts';
import {
  noPositionals,
  parseOptions,
  required,
  serviceOption,
  UsageFault,
  withFaults,
  write,
} from './usage.ts';

const USAGE = `Usage: roomwatch statement --service S --month YYYY-MM [--format F] [options]

Prints a month's evidence from the books: every window with its counts by cause, the exclusions with their
authors, what came late, the terms, the figures, the claim dates, and a SHA-256 over all of it. The same books
give the same bytes; roomwatch verify computes json and csv again.

  --service S         the service
  --month YYYY-MM     the month, in the contract's zone
  --format F          json, csv, text or html; default text
  --server URL        ask a daemon instead of opening its store
  --token-file FILE   with --server: the reader's token (default: ROOMWATCH_TOKEN)
  --config FILE       whose store, terms and exclusions; default: the store in ./data

Exit codes: 0 done; 2 bad usage, or the books cannot be read.
`;

const OPTIONS = {
  service: { type: 'string' },
  month: { type: 'string' },
  format: { type: 'string' },
  server: { type: 'string' },
  'token-file': { type: 'string' },
  config: { type: 'string' },
} as const;

export const statementCommand: Command = {
  name: 'statement',
  summary: "print a month's evidence, for a claim",
  usage: USAGE,
  run: (args, io) => withFaults(io, () => runStatement(args, io)),
};

async function runStatement(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const { values, positionals } = parseOptions(args, OPTIONS);
  noPositionals(positionals);
  const service = serviceOption(values.service);
  const month = required('month', values.month, '2026-11');
  const format = formatOption(values.format ?? 'text');
  const { server, config: file } = values;
  if (server !== undefined) {
    const address = daemonAddress({ server, tokenFile: values['token-file'] }, io);
    const query = new URLSearchParams({ month, format });
    const path = `/api/v1/services/${encodeURIComponent(service)}/statement?${query}`;
    await write(io.stdout, await askDaemon(address, path, io.signal));
    return EXIT.done;
  }
  const statement = await withBooks({ file, service }, io, async ({ terms, entries, factsOf }) => {
    const found = serviceMonth(month, terms);
    if (!found.ok) throw new UsageFault('MONTH_INVALID', `--month: ${found.message}`);
    const facts = await factsOf(found.month);
    return monthStatement({ service, month: found.month, facts, terms, entries, nowMs: io.now() });
  });
  await write(io.stdout, renderStatement(statement, format).body);
  return EXIT.done;
}

function formatOption(value: string): StatementFormat {
  const found = STATEMENT_FORMATS.find((format) => format === value);
  if (found !== undefined) return found;
  throw new UsageFault('USAGE_INVALID', `--format is ${quote(value)}; write ${STATEMENT_FORMATS.join(', ')}`);
}
