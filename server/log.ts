import type { Writable } from 'node:stream';
import { type DestinationStream, type Logger, pino } from 'pino';

/** The daemon's log: one event, one line, on stderr; JSON, or a short line for a person at a terminal. */
export type Log = Logger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A secret is kept out of the log where it is held, not here; this is the second fence, for an object that
 * was logged whole.
 */
const SECRET_KEYS = ['token', 'secret', 'password', 'authorization', 'routingKey', 'url.password'];

export function createLog(
  level: LogLevel,
  destination: Writable & { readonly isTTY?: boolean } = process.stderr,
): Log {
  const stream: DestinationStream = destination.isTTY
    ? { write: (line) => void destination.write(forPeople(line)) }
    : destination;
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '(secret)' },
      serializers: { error: pino.stdSerializers.err },
    },
    stream,
  );
}

/** `12:00:01 warn  the store does not answer  service=acme` from one JSON line. */
function forPeople(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => {
    if (typeof value !== 'object' || value === null) return `${key}=${String(value)}`;
    const { stack } = value as { stack?: unknown };
    return typeof stack === 'string' ? `\n${stack}` : `${key}=${JSON.stringify(value)}`;
  });
  const clock = String(time).slice(11, 19);
  return `${clock} ${String(level).padEnd(5)} ${String(msg ?? '')}${rest.length > 0 ? `  ${rest.join(' ')}` : ''}\n`;
}
