import type { Cause } from './cause.ts';

/**
 * A service's name is a key in stores, a label value and a path segment, so its alphabet is small.
 * 1 to 64 characters: letters, digits, dot, dash, underscore; the first one a letter or digit.
 */
export const SERVICE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Platforms for which the code table is consulted; any other name is kept as a label only. */
export const TABLE_PLATFORMS = ['web-v5', 'web-v4', 'native'] as const;

/**
 * One user's request to enter a room (clause 1.4), or `count` equal ones, as an application reported it.
 * `startedAtMs` is when the request started, in epoch milliseconds: its window is that instant's (sla.md).
 * Absent labels are ''. `code` and `extraCode` are integers of the vendor's SDK, absent when none was given.
 */
export interface Outcome {
  readonly service: string;
  readonly startedAtMs: number;
  readonly result: 'ok' | 'failed';
  readonly count: number;
  readonly platform: string;
  readonly region: string;
  readonly app: string;
  readonly code?: number;
  readonly extraCode?: number;
  /** Given by the application; it wins over the code table. */
  readonly cause?: Cause;
  /** A repeated report with the same id counts once. */
  readonly id?: string;
  readonly durationMs?: number;
}

/** Why a record was refused: a stable code, the field ('' for the whole record), and a sentence with the fix. */
export interface OutcomeFault {
  readonly code: OutcomeFaultCode;
  readonly field: string;
  readonly message: string;
}
export type OutcomeFaultCode =
  | 'OUTCOME_NOT_JSON'
  | 'OUTCOME_NOT_OBJECT'
  | 'OUTCOME_FIELD_MISSING'
  | 'OUTCOME_FIELD_INVALID'
  | 'OUTCOME_TIME_OUT_OF_RANGE';
