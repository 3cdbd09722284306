import { z } from 'zod';
import { CAUSES } from './cause.ts';
import { parseDate } from './instant.ts';
import { currencyDecimals, parseAmount } from './money.ts';
import { nearestWord } from './nearest.ts';
import { parsePercent, shareValue } from './percent.ts';
import { quote } from './text.ts';
import { isTimeZone } from './zone.ts';

/** The fields of a terms file, each with its bounds and the sentence that mends it. */

type Complaint = (issue: { readonly input: unknown }) => string;

/** `is VALUE; FIX`, for a value that is there, and `is missing; FIX` for one that is not. */
function rejected(fix: string): Complaint {
  return ({ input }) => `is ${input === undefined ? 'missing' : quote(input)}; ${fix}`;
}

/** An object without unknown keys: a misspelt setting must not leave the default in force unnoticed. */
export function strict<Shape extends z.core.$ZodShape>(shape: Shape) {
  const known = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `has unknown keys: ${issue.keys.map((key: string) => `${quote(key)} ${unknownKey(key, known)}`).join(', ')}`
        : rejected('write an object')(issue),
  });
}

export function unknownKey(key: string, known: readonly string[]): string {
  const near = nearestWord(key, known);
  return near === undefined ? `is not one of ${known.join(', ')}` : `is unknown; did you mean ${near}?`;
}

/**
 * One of the readings that the code implements. One that a contract may hold but the code does not is refused
 * with a sentence of its own: to take it silently would compute another contract.
 */
export function reading<const T extends string>(implemented: readonly T[], others: readonly string[] = []) {
  const list = implemented.join(' or ');
  return z
    .string({ error: rejected(`write ${list}`) })
    .transform((value, context): T => {
      const found = implemented.find((one) => one === value);
      if (found !== undefined) return found;
      context.addIssue(
        others.includes(value)
          ? `is ${quote(value)}, a possible reading that roomwatch does not implement; write ${list}`
          : `is ${quote(value)}; write ${list}`,
      );
      return z.NEVER;
    })
    .meta({ enum: [...implemented] });
}

function integer(from: number, to: number) {
  const error = rejected(`write an integer from ${from} to ${to.toLocaleString('en-US')}`);
  return z
    .number({ error })
    .refine((value) => Number.isInteger(value) && value >= from && value <= to, { error })
    .meta({ type: 'integer', minimum: from, maximum: to });
}

const percentFix = 'write a percentage as text, more than 0 to 100 with up to six decimals, like "99.9"';
const percent = z.string({ error: rejected(percentFix) }).transform((text, context) => {
  const parsed = parsePercent(text);
  if (parsed !== undefined && parsed.numerator > 0) return parsed;
  context.addIssue(rejected(percentFix)({ input: text }));
  return z.NEVER;
});

const dateFix = rejected('write a date of the calendar as text, YYYY-MM-DD');
const date = z.string({ error: dateFix }).refine((text) => parseDate(text) !== undefined, { error: dateFix });

const zoneFix = rejected(
  'write an offset in steps of 15 minutes, like "+08:00", or an IANA name, like Asia/Shanghai',
);
const timeZone = z.string({ error: zoneFix }).refine(isTimeZone, { error: zoneFix });

export const TIER_FIELDS = {
  below: percent.describe('Owed when the month is lower than this percentage, as text.'),
  voucherPercent: integer(1, 100).describe('Of the monthly fee (3.1).'),
};

const tiers = z
  .array(strict(TIER_FIELDS), {
    error: rejected('write a list of {below, voucherPercent}'),
  })
  .max(10, { error: 'has more than 10 tiers; leave out the extra ones' })
  .transform((given, context) => {
    const sorted = given.toSorted((a, b) => shareValue(b.below) - shareValue(a.below));
    for (const [i, tier] of sorted.entries()) {
      const above = sorted[i - 1];
      if (above === undefined) continue;
      if (shareValue(above.below) === shareValue(tier.below)) {
        context.addIssue(`has ${tier.below.text} twice; delete one of them`);
      } else if (above.voucherPercent > tier.voucherPercent) {
        context.addIssue(
          `owes less below ${tier.below.text} than below ${above.below.text}; swap the vouchers`,
        );
      }
    }
    return sorted;
  });

const countedCauses = z
  .array(reading(CAUSES), { error: rejected(`write a list of ${CAUSES.join(', ')}`) })
  .min(1, { error: `is empty, so that nothing could ever be down; name some of ${CAUSES.join(', ')}` })
  .transform((causes) => CAUSES.filter((cause) => causes.includes(cause)));

const currencyFix = rejected('write an ISO 4217 code in capitals, like USD');
export const FEE_FIELDS = {
  amount: z
    .string({ error: rejected('write an amount as text, like "1234.50"') })
    .describe('As text, like "1234.50".'),
  currency: z
    .string({ error: currencyFix })
    .refine((text) => currencyDecimals(text) !== undefined, { error: currencyFix })
    .describe('ISO 4217, like USD.'),
};
const monthlyFee = strict(FEE_FIELDS).refine(
  ({ amount, currency }) =>
    currencyDecimals(currency) === undefined || parseAmount(amount, currency) !== undefined,
  {
    error:
      'is not an amount of its currency; write digits with no more decimals than it has, like "1234.50" for USD',
    path: ['amount'],
  },
);

export const CLAIM_FIELDS = {
  openAfterBusinessDay: integer(0, 20).describe('Of the following month (3.2).'),
  deadlineDays: integer(1, 366).describe('After the end of the month, the last one included (3.2).'),
  calendar: reading(['CN', 'weekdays']).describe(
    "Business days: mainland China's with its make-up working days, or Monday to Friday.",
  ),
};

/** Fields that a contract must fix. */
export const REQUIRED_FIELDS = {
  timeZone: timeZone.describe('Whose 00:00 begins a day: \'UTC\', an offset like "+08:00", or an IANA name.'),
  period: reading(['calendar'], ['anniversary', 'billing']).describe('What a month is (1.2).'),
  daylightSaving: reading(['contract'], ['elapsed']).describe(
    'A month has days x 1,440 minutes, whatever the clocks did (1.6).',
  ),
  measure: reading(['window-threshold', 'mean-window-error'], ['minutes-down']).describe(
    'What a window costs: all or nothing by the threshold, or its error rate.',
  ),
  windowMinutes: integer(1, 1_440)
    .refine((value) => 1_440 % value === 0, {
      error: rejected('write minutes that divide a day of 1,440, like 5'),
    })
    .describe('The unit of measurement; divides a day (1.5).'),
  threshold: percent.describe('A window whose success rate is lower is lost (1.5); percent as text.'),
  target: percent.describe('Monthly availability that was promised (2.2); percent as text.'),
  tiers: tiers.describe('Vouchers (3.1), at most ten.'),
  minAttempts: integer(1, 1_000_000).describe('A window with fewer counted attempts is never lost.'),
  lowVolumeBelow: integer(0, 1_000_000).describe('A lost window with fewer counted attempts is marked.'),
  minConsecutive: integer(1, 12).describe('Lost windows in a row before they count.'),
  emptyWindow: reading(['up', 'down']).describe('A watched window in which nobody called.'),
  countedCauses: countedCauses.describe(`Failures that count against the provider: ${CAUSES.join(', ')}.`),
  uncountedFailures: reading(['leave', 'succeed']).describe(
    'The other failures: neither attempt nor failure, or an attempt that did not fail.',
  ),
  bookBy: reading(['start'], ['end']).describe('Which window a request belongs to.'),
  retries: reading(['each-call'], ['user-and-room']).describe('What one request is (1.4).'),
  excludedTime: reading(['keep'], ['remove']).describe('Excluded minutes stay in the total.'),
  surge: reading(['flag'], ['exclude', 'ignore']).describe('A traffic surge (4.6) is left to a person.'),
  scope: reading(['account'], ['application']).describe('Whose traffic is one contract.'),
  partialMonth: reading(['actual', 'full']).describe(
    'The total of a month that the service began or ended in (1.6): its own days, or the whole month.',
  ),
  graceMinutes: integer(0, 60).describe('A window is provisional for so long after its end.'),
  displayDecimals: integer(0, 6).describe('Of a shown percentage, which is cut, never rounded.'),
};

/** Fields that belong to one customer's contract. */
export const CUSTOMER_FIELDS = {
  serviceStart: date.describe('First contract date, YYYY-MM-DD; without it there is no bound (1.6).'),
  serviceEnd: date.describe('Last contract date included; without it there is no bound.'),
  monthlyFee: monthlyFee.describe('What was paid for the month, without vouchers and discounts (3.1).'),
};
