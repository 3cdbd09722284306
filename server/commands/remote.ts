import { readFileSync } from 'node:fs';
import { quote } from '../../sla/text.ts';
import type { CommandIo } from './command.ts';
import { UsageFault } from './usage.ts';

/** Where the daemon is and who asks. */
export interface DaemonAddress {
  readonly url: string;
  readonly token: string | undefined;
}

/** A month's statement as HTML or JSON is a few megabytes. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
const ANSWER_WITHIN_MS = 30_000;

/** @throws UsageFault unless the options name a daemon and a readable token file */
export function daemonAddress(
  { server, tokenFile }: { readonly server: string; readonly tokenFile: string | undefined },
  { env }: Pick<CommandIo, 'env'>,
): DaemonAddress {
  if (!/^https?:\/\/[^/]/.test(server) || !URL.canParse(server)) {
    const fix = 'write its address, like http://127.0.0.1:9470';
    throw new UsageFault('USAGE_INVALID', `--server is ${quote(server)}; ${fix}`);
  }
  return { url: server.replace(/\/+$/, ''), token: tokenFile ? tokenIn(tokenFile) : env.ROOMWATCH_TOKEN };
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageFault('TOKEN_UNREADABLE', `--token-file ${file} cannot be read (${code}); check the path`);
  }
}

/**
 * Asks the daemon's API.
 * @param path  from /api/v1 on, with its query
 * @throws UsageFault with the daemon's own code and sentence when it refuses, DAEMON_UNREACHABLE when it does
 *         not answer
 */
export async function askDaemon(
  { url, token }: DaemonAddress,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  let response: Response;
  let body: string;
  try {
    response = await fetch(`${url}${path}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    });
    body = await boundedText(response);
  } catch (error) {
    if (error instanceof UsageFault) throw error;
    // fetch hides the reason in the cause.
    const { cause, message } = error as Error & { cause?: { code?: string } };
    const reason = cause?.code ?? message;
    const fix = 'start the daemon, or correct --server';
    throw new UsageFault('DAEMON_UNREACHABLE', `${url} does not answer (${reason}); ${fix}`, {
      cause: error,
    });
  }
  if (response.ok) return body;
  throw refusalIn(body) ?? new UsageFault('DAEMON_REFUSED', `${url} answers ${response.status}; see its log`);
}

async function boundedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) {
      const message = `the answer is longer than ${ANSWER_BYTES_MAX} bytes; is --server the daemon?`;
      throw new UsageFault('DAEMON_REFUSED', message);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refusalIn(body: string): UsageFault | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: { code?: unknown; message?: unknown } };
    if (typeof error?.code !== 'string' || typeof error.message !== 'string') return undefined;
    return new UsageFault(error.code, error.message);
  } catch {
    return undefined;
  }
}
