import type { Failure } from './outcome.ts';

/** Whatever was thrown: not necessarily an error of the SDK, nor an error at all. */
type Thrown = Readonly<Record<string, unknown>> | null | undefined;

/** Characters of a message in which a code is looked for. */
const MESSAGE_MAX = 1_000;
/** TRTC's "gave up": every failure before the join command, even when a server said why. */
const GAVE_UP = 5500;
/** Of LiveKit's ConnectionErrorReason. */
const NOT_ALLOWED = 0;
const CANCELLED = 3;

/** Reads the numbers that an error carries, if they are whole: the agent refuses any other code. */
export function readError(thrown: unknown): Failure {
  const error = thrown as Thrown;
  return failureOf(error?.code, error?.extraCode);
}

/**
 * Reads an RtcError of TRTC's Web SDK v5. For a 5500 the extra code is what is inside it: the number that a server
 * gave, in `originError.extraCode` or written as `code: N` in a message, else the step that failed
 * (`originError.code`: 16460 dispatch, 16385 channel, 16459 time-out). 0 there is the SDK's "none". What N means is
 * for the agent's table to say, which looks it up among the rows of 5400.
 */
export function readRtcError(thrown: unknown): Failure {
  const failure = readError(thrown);
  if (failure.code !== GAVE_UP || failure.extraCode) return failure;
  const error = thrown as NonNullable<Thrown>;
  const origin = error.originError as Thrown;
  const inner =
    integer(origin?.extraCode) ||
    codeIn(origin?.message) ||
    codeIn(error.message) ||
    integer(origin?.code) ||
    undefined;
  return failureOf(GAVE_UP, inner);
}

/**
 * Reads an error of LiveKit's client. Its own code is 1 for every ConnectionError, so the code is the reason
 * (5 = time-out, ...) and the extra code the HTTP status. A refused token and a connection that the application
 * itself ended are not the provider's.
 */
export function readLiveKitError(thrown: unknown): Failure {
  const error = thrown as Thrown;
  const reason = integer(error?.reason);
  if (reason === undefined) return readError(thrown);
  const cause = reason === NOT_ALLOWED || reason === CANCELLED ? 'customer' : undefined;
  return { ...failureOf(reason, error?.status), cause };
}

function failureOf(code: unknown, extraCode: unknown): Failure {
  return { code: integer(code), extraCode: integer(extraCode) };
}

function codeIn(message: unknown): number | undefined {
  if (typeof message !== 'string') return undefined;
  const found = /\b(?:errorCode|code): ?(-?\d{1,9})\b/.exec(message.slice(0, MESSAGE_MAX));
  return found ? Number(found[1]) : undefined;
}

function integer(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}
