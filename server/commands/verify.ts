import { openSources, SourceUnreadable } from '../replay/source.ts';
import { verifyStatement } from '../statement/verify-statement.ts';
import { type Command, type CommandIo, EXIT, type ExitCode } from './command.ts';
import { parseOptions, UsageFault, withFaults, write } from './usage.ts';

const USAGE = `Usage: roomwatch verify STATEMENT

Computes a statement (json or csv, plain or gzip; - is standard input) again: each window's verdict from its
counts, the figures from the windows, the SHA-256 from all of it. It cannot tell whether the counts are true;
that they are still those of the day the statement was made, the hash shows to whoever noted it then.

Exit codes: 0 verified; 1 altered, with the first difference; 2 bad usage, or not a statement.
`;

/** A month of one-minute windows is some 15 MiB. */
const STATEMENT_BYTES_MAX = 64 * 1024 * 1024;

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'compute a statement again and say whether it was altered',
  usage: USAGE,
  run: (args, io) => withFaults(io, () => runVerify(args, io)),
};

async function runVerify(args: readonly string[], io: CommandIo): Promise<ExitCode> {
  const [name, ...more] = parseOptions(args, {}).positionals;
  if (name === undefined || more.length > 0) {
    throw new UsageFault('USAGE_INVALID', 'name one statement, like: roomwatch verify 2026-11.json');
  }
  const found = verifyStatement(await textOf(name, io));
  switch (found.status) {
    case 'verified': {
      const { service, figures, rows } = found.statement;
      const { month, asOf, budget, availability, voucherPercent } = figures;
      const windows = `${rows.length.toLocaleString('en-US')} windows, ${budget.lost} lost`;
      await write(
        io.stdout,
        `verified: ${service} ${month} as of ${asOf}: ${windows}, ${availability.display} observed, ` +
          `voucher ${voucherPercent} %; every verdict and figure follows from the rows; SHA-256 ${found.hash}\n`,
      );
      return EXIT.done;
    }
    case 'differs':
      await write(io.stderr, `STATEMENT_ALTERED: ${found.message}\n`);
      return EXIT.no;
    case 'not-a-statement':
      throw new UsageFault('STATEMENT_UNREADABLE', `${name} is not a statement: ${found.message}`);
  }
}

async function textOf(name: string, io: CommandIo): Promise<string> {
  try {
    const [source] = await openSources([name], io.stdin);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of source!.chunks({ signal: io.signal })) {
      bytes += chunk.length;
      if (bytes > STATEMENT_BYTES_MAX) {
        const message = `${name} has more than ${STATEMENT_BYTES_MAX} bytes; is it the right file?`;
        throw new UsageFault('STATEMENT_UNREADABLE', message);
      }
      chunks.push(Buffer.from(chunk));
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch (error) {
    if (!(error instanceof SourceUnreadable)) throw error;
    throw new UsageFault(error.code, error.message, { cause: error });
  }
}
