import type { Logger } from 'pino';

/** What the agent needs of a logger. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
