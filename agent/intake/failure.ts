import type { Refusal } from '../spool/spool.ts';

/** Why a request is refused: what is answered, and what to do. */
export interface Failure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly field?: string;
  readonly retryAfterSeconds?: number;
}

export const refusals: Readonly<Record<Refusal, Failure>> = {
  busy: {
    status: 429,
    code: 'SPOOL_BUSY',
    message: 'more was reported than the disk takes; report again in a moment',
    retryAfterSeconds: 1,
  },
  'spool-full': {
    status: 503,
    code: 'SPOOL_FULL',
    message:
      'the spool is at its limit and nothing is left to give up; connect the daemon or raise spool.maxBytes',
    retryAfterSeconds: 30,
  },
  'disk-full': {
    status: 503,
    code: 'DISK_FULL',
    message:
      'the disk of the spool is nearly full, and not by the spool; free it, or lower spool.minFreeBytes',
    retryAfterSeconds: 30,
  },
  closed: {
    status: 503,
    code: 'AGENT_STOPPING',
    message: 'the agent is stopping; report again in a moment',
    retryAfterSeconds: 5,
  },
};

const INTAKE_BUSY: Failure = {
  status: 429,
  code: 'INTAKE_BUSY',
  message: 'too much is being sent at the same time; report again in a moment',
  retryAfterSeconds: 1,
};

export function writeFailure(error: Error): Failure {
  return { status: 503, code: 'SPOOL_WRITE_FAILED', message: error.message, retryAfterSeconds: 5 };
}

/** @param bytes that the body may have, as text */
export function bodyFailure(fault: 'too-large' | 'busy' | 'aborted' | 'not-gzip', bytes: string): Failure {
  switch (fault) {
    case 'too-large':
      return {
        status: 413,
        code: 'BODY_TOO_LARGE',
        message: `the body is more than ${bytes}; send less at once`,
      };
    case 'busy':
      return INTAKE_BUSY;
    case 'aborted':
      return { status: 400, code: 'BODY_CUT_OFF', message: 'the body ended early; send it again' };
    case 'not-gzip': {
      const message =
        'the body is not gzip, whole and sound; send it packed anew, or without content-encoding';
      return { status: 400, code: 'BODY_NOT_GZIP', field: 'content-encoding', message };
    }
  }
}
