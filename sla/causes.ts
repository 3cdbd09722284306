import { createRequire } from 'node:module';
import { CAUSES, type Cause } from './cause.ts';
import { type Outcome, TABLE_PLATFORMS } from './outcome.ts';

/** One row of the code table: what an error code of the vendor's SDK means and to whom it is attributable. */
export interface CauseRow {
  readonly platform: string;
  readonly code: number;
  readonly extraCode?: number;
  /** Of the error inside a web 5500, see `resolveInnerCause`. */
  readonly originCode?: number;
  readonly originExtraCode?: number;
  readonly name: string;
  readonly attribution: Cause;
  /** Of the contract, '' when none is known. */
  readonly clause: string;
}

export interface CauseFinding {
  readonly cause: Cause;
  readonly clause: string;
  readonly name: string;
}

export type CauseLookup = (platform: string, code?: number, extraCode?: number) => CauseFinding;

/** A code that nobody explains counts against the provider until shown otherwise (sla/README.md). */
const UNKNOWN: CauseFinding = Object.freeze({ cause: 'unknown', clause: '1.5,4.13', name: '' });

/** The vendor's 377 codes, beside this file so that a program needs no path to find them. */
export const TRTC_CAUSES: readonly CauseRow[] = createRequire(import.meta.url)('./causes/trtc.json');

/**
 * @param extra  rows of the operator's own; they win over the vendor's table
 * @returns a lookup: the row of platform, code and extra code; else the platform's row of the code alone;
 *          else unknown. Rows with an origin code are never the answer to a bare code.
 */
export function createCauseLookup(extra: readonly CauseRow[] = []): CauseLookup {
  const findings = new Map<string, Map<number, CodeFindings>>();
  for (const row of [...TRTC_CAUSES, ...extra]) {
    if (row.originCode !== undefined) continue;
    const codes = findings.get(row.platform) ?? new Map<number, CodeFindings>();
    findings.set(row.platform, codes);
    const found: CodeFindings = codes.get(row.code) ?? { byExtraCode: new Map() };
    codes.set(row.code, found);
    if (row.extraCode === undefined) found.bare = findingOf(row);
    else found.byExtraCode.set(row.extraCode, findingOf(row));
  }
  return (platform, code, extraCode) => {
    if (code === undefined) return UNKNOWN;
    const found = findings.get(platform)?.get(code);
    if (found === undefined) return UNKNOWN;
    const exact = extraCode === undefined ? undefined : found.byExtraCode.get(extraCode);
    return exact ?? found.bare ?? UNKNOWN;
  };
}

interface CodeFindings {
  bare?: CauseFinding;
  readonly byExtraCode: Map<number, CauseFinding>;
}

function findingOf(row: CauseRow): CauseFinding {
  return Object.freeze({ cause: row.attribution, clause: row.clause, name: row.name });
}

/** What a web SDK hides inside its 5500 ("gave up"): `originError` and the message of the rejection. */
export interface InnerError {
  readonly originCode?: number;
  readonly originExtraCode?: number;
  readonly message?: string;
}

/** Characters of a message in which an inner code is looked for. */
const MESSAGE_MAX = 1_000;

/**
 * The cause of a web-v5 5500, which every failure before the join command becomes even when the server gave a
 * reason. The server's code N is `originError.extraCode`, else stands in the message as `code: N`; it has the
 * meaning of a 5400's extra code. Without one, the row of the origin code, else of the bare 5500.
 */
export function resolveInnerCause(inner: InnerError, lookup: CauseLookup): CauseFinding {
  const origins = TRTC_CAUSES.filter(
    (row) => row.originCode !== undefined && row.originCode === inner.originCode,
  );
  const exact = origins.find(
    (row) => row.originExtraCode !== undefined && row.originExtraCode === inner.originExtraCode,
  );
  if (exact) return findingOf(exact);
  const bare = lookup('web-v5', 5400);
  for (const code of [inner.originExtraCode, codeInMessage(inner.message)]) {
    const found = code === undefined ? bare : lookup('web-v5', 5400, code);
    if (found !== bare) return found;
  }
  const origin = origins.find((row) => row.originExtraCode === undefined);
  return origin ? findingOf(origin) : lookup('web-v5', 5500);
}

function codeInMessage(message: string | undefined): number | undefined {
  const found = /\b(?:errorCode|code): ?(-?\d{1,9})\b/.exec((message ?? '').slice(0, MESSAGE_MAX));
  return found ? Number(found[1]) : undefined;
}

/**
 * The cause of a failed outcome: the one that the application gave, else the table's for the platforms that
 * it knows, else unknown.
 */
export function causeOf(
  outcome: Pick<Outcome, 'platform' | 'code' | 'extraCode' | 'cause'>,
  lookup: CauseLookup,
): Cause {
  if (outcome.cause !== undefined) return outcome.cause;
  if (!(TABLE_PLATFORMS as readonly string[]).includes(outcome.platform)) return 'unknown';
  return lookup(outcome.platform, outcome.code, outcome.extraCode).cause;
}

/** A failed outcome's code as a label: '5400', '5400/-10015', '' when it has none or succeeded. */
export function codeLabel(outcome: Outcome): string {
  if (outcome.result === 'ok' || outcome.code === undefined) return '';
  return outcome.extraCode === undefined ? `${outcome.code}` : `${outcome.code}/${outcome.extraCode}`;
}

/** A cause's place in CAUSES, by which tallies are indexed. */
export function causeIndex(cause: Cause): number {
  return CAUSES.indexOf(cause);
}
