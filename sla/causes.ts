import { createRequire } from 'node:module';
import { CAUSES, type Cause } from './cause.ts';
import { type Outcome, TABLE_PLATFORMS } from './outcome.ts';

/** One row of the code table: what an error code of the vendor's SDK means and to whom it is attributable. */
export interface CauseRow {
  readonly platform: string;
  readonly code: number;
  readonly extraCode?: number;
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
 * @returns a lookup: the row of platform, code and extra code; for a web 5500 the row that a 5400 has for the
 *          same extra code; else the platform's row of the code alone; else unknown
 */
export function createCauseLookup(extra: readonly CauseRow[] = []): CauseLookup {
  const findings = new Map<string, Map<number, CodeFindings>>();
  for (const row of [...TRTC_CAUSES, ...extra]) {
    const codes = findings.get(row.platform) ?? new Map<number, CodeFindings>();
    findings.set(row.platform, codes);
    const found: CodeFindings = codes.get(row.code) ?? { byExtraCode: new Map() };
    codes.set(row.code, found);
    if (row.extraCode === undefined) found.bare = findingOf(row);
    else found.byExtraCode.set(row.extraCode, findingOf(row));
  }
  return (platform, code, extraCode) => {
    if (code === undefined) return UNKNOWN;
    const codes = findings.get(platform);
    const found = codes?.get(code);
    if (found === undefined) return UNKNOWN;
    if (extraCode === undefined) return found.bare ?? UNKNOWN;
    // Every failure before the join command becomes a 5500, even when the server gave a reason: its number means
    // what it means in a 5400. But 0 is the SDK's "none", and a 5400's "no answer to the join".
    const inner =
      platform === 'web-v5' && code === 5500 && extraCode !== 0
        ? codes?.get(5400)?.byExtraCode.get(extraCode)
        : undefined;
    return found.byExtraCode.get(extraCode) ?? inner ?? found.bare ?? UNKNOWN;
  };
}

interface CodeFindings {
  bare?: CauseFinding;
  readonly byExtraCode: Map<number, CauseFinding>;
}

function findingOf(row: CauseRow): CauseFinding {
  return Object.freeze({ cause: row.attribution, clause: row.clause, name: row.name });
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
