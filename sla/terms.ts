import type { Cause } from './cause.ts';
import type { Percent } from './percent.ts';
import { PRESET_NAMES, PRESETS, type PresetName } from './presets.ts';
import {
  CLAIM_FIELDS,
  CUSTOMER_FIELDS,
  FEE_FIELDS,
  REQUIRED_FIELDS,
  reading,
  strict,
  TIER_FIELDS,
  unknownKey,
} from './terms-fields.ts';

export { PRESETS, type PresetName } from './presets.ts';

/**
 * The contract's terms. Every question that the contract leaves open is a field, so that another reading is a
 * setting; the `trtc` preset holds the decisions of sla/README.md. Plain data, frozen.
 */
export interface Terms {
  readonly preset: PresetName | 'none';
  /** Whose 00:00 begins a day: 'UTC', a fixed offset or an IANA name. */
  readonly timeZone: string;
  /** First and last contract date of the service (1.6); absent = no bound. */
  readonly serviceStart?: string;
  readonly serviceEnd?: string;
  readonly period: 'calendar';
  readonly daylightSaving: 'contract';
  /** What a window costs: all or nothing by the threshold, or its error rate (sla/README.md). */
  readonly measure: 'window-threshold' | 'mean-window-error';
  /** Divides a day (1.5). */
  readonly windowMinutes: number;
  /** A window whose success rate is lower is down (1.5); under `mean-window-error` it is only listed so. */
  readonly threshold: Percent;
  /** Monthly availability promised (2.2). */
  readonly target: Percent;
  /** Highest line first; the voucher never shrinks downwards (3.1). */
  readonly tiers: readonly Tier[];
  /** A window with fewer counted attempts is never down, and its error rate counts as 0. */
  readonly minAttempts: number;
  /** A lost window with fewer counted attempts is marked. */
  readonly lowVolumeBelow: number;
  /** Down windows in a row before they count; runs do not cross months, each being computed alone (3.1). */
  readonly minConsecutive: number;
  /** Verdict of an observed window without any request; one that nobody observed is never down. */
  readonly emptyWindow: 'up' | 'down';
  /** Failures of these causes count; in the order of CAUSES. */
  readonly countedCauses: readonly Cause[];
  /** What the other failures are: neither attempt nor failure, or an attempt that did not fail. */
  readonly uncountedFailures: 'leave' | 'succeed';
  readonly bookBy: 'start';
  readonly retries: 'each-call';
  readonly excludedTime: 'keep';
  readonly surge: 'flag';
  readonly scope: 'account';
  readonly partialMonth: 'actual' | 'full';
  /** Minutes after a window's end in which outcomes are not late. */
  readonly graceMinutes: number;
  /** Decimals of a displayed percentage, which is truncated, never rounded. */
  readonly displayDecimals: number;
  /** What was paid for the month, without vouchers and discounts (3.1). */
  readonly monthlyFee?: { readonly amount: string; readonly currency: string };
  readonly claim: {
    readonly openAfterBusinessDay: number;
    readonly deadlineDays: number;
    readonly calendar: 'CN' | 'weekdays';
  };
}

export interface Tier {
  readonly below: Percent;
  /** Whole percent of the monthly fee, 1 to 100. */
  readonly voucherPercent: number;
}

/** Every fault is a sentence with the fix; `path` leads to the field. */
export interface TermsFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export type ParsedTerms =
  | { readonly ok: true; readonly terms: Terms }
  | { readonly ok: false; readonly faults: readonly TermsFault[] };

const FILE_FIELDS = {
  preset: reading([...PRESET_NAMES, 'none']).describe(
    'A published contract whose values hold where a field is left out; none asks for every field.',
  ),
  ...REQUIRED_FIELDS,
  ...CUSTOMER_FIELDS,
  claim: strict(CLAIM_FIELDS).partial().describe('When a voucher can be claimed (3.2).'),
};
const fileSchema = strict(FILE_FIELDS).partial();

/** By the field that holds the object; '' for the file itself. */
const KNOWN_KEYS: Readonly<Record<string, readonly string[]>> = {
  '': Object.keys(FILE_FIELDS),
  tiers: Object.keys(TIER_FIELDS),
  monthlyFee: Object.keys(FEE_FIELDS),
  claim: Object.keys(CLAIM_FIELDS),
};

/**
 * The shape of a terms file; parses to frozen `Terms`. Without `preset` it is `trtc`, the contract that this
 * software is made for; with `preset: none` every field but the customer's own must be given.
 */
export const termsSchema = fileSchema.transform((given, context): Terms => {
  const preset = given.preset ?? 'trtc';
  const base = preset === 'none' ? undefined : presetTerms(preset);
  const merged: Record<string, unknown> = { ...base, ...given, preset };
  const claim: Record<string, unknown> = { ...base?.claim, ...given.claim };
  merged.claim = claim;
  const missing = [
    ...Object.keys(REQUIRED_FIELDS).filter((key) => merged[key] === undefined),
    ...Object.keys(CLAIM_FIELDS)
      .filter((key) => claim[key] === undefined)
      .map((key) => `claim.${key}`),
  ];
  for (const name of missing) {
    const message = 'is missing; without a preset every field must be given';
    context.addIssue({ code: 'custom', path: name.split('.'), message });
  }
  if (given.serviceStart && given.serviceEnd && given.serviceEnd < given.serviceStart) {
    const message = `is before serviceStart ${given.serviceStart}; swap them or delete one`;
    context.addIssue({ code: 'custom', path: ['serviceEnd'], message });
  }
  if (merged.measure === 'mean-window-error' && Number(merged.minConsecutive) > 1) {
    const message = `is ${merged.minConsecutive}, but under mean-window-error each window counts by itself; write 1`;
    context.addIssue({ code: 'custom', path: ['minConsecutive'], message });
  }
  // Every field has been parsed by its own schema and none is missing, or an issue stops the parse.
  return freezeDeeply(merged) as unknown as Terms;
});

/**
 * @param input  parsed YAML or JSON; undefined or null is the preset `trtc`
 * @returns frozen terms, or every fault that was found; never throws
 */
export function parseTerms(input: unknown): ParsedTerms {
  const parsed = termsSchema.safeParse(input ?? {});
  if (parsed.success) return { ok: true, terms: parsed.data };
  const faults = parsed.error.issues.flatMap((issue): TermsFault[] => {
    const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
    // One fault a key, so that each is pointed at where it stands.
    const known = KNOWN_KEYS[path.find((key) => typeof key === 'string') ?? ''] ?? [];
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownKey(key, known) }));
  });
  return { ok: false, faults };
}

/** A preset's terms as published: no service bounds, no fee. */
export function presetTerms(name: PresetName): Terms {
  const parsed = termsSchema.parse({ ...PRESETS[name].terms, preset: 'none' });
  return Object.freeze({ ...parsed, preset: name });
}

/** Terms in the shape of a terms file, complete: `parseTerms(termsRecord(terms))` gives them back. */
export function termsRecord(terms: Terms): Readonly<Record<string, unknown>> {
  return {
    ...terms,
    threshold: terms.threshold.text,
    target: terms.target.text,
    tiers: terms.tiers.map(({ below, voucherPercent }) => ({ below: below.text, voucherPercent })),
  };
}

function freezeDeeply<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const child of Object.values(value)) freezeDeeply(child);
    Object.freeze(value);
  }
  return value;
}
