import type { Logger } from 'pino';

/** What the agent needs of a logger. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** The application's log, whose own faults must not become the agent's. */
export function sheltered(log: Log): Log {
  const write = (level: keyof Log): Log[typeof level] => {
    return (...args: unknown[]) => {
      try {
        Reflect.apply(log[level], log, args);
      } catch {
        // There is nobody left to tell.
      }
    };
  };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
