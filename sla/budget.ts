import { amountText, parseAmount, shareOf } from './money.ts';
import { allowedLosses, type Percent } from './percent.ts';
import type { Line } from './reading.ts';
import type { Terms } from './terms.ts';

/** A line of the contract: the target (2.2) or the edge of a voucher tier (3.1). */
export interface ContractLine {
  readonly percent: Percent;
  /** Owed once the line is crossed; 0 for a target without a tier of its own. */
  readonly voucherPercent: number;
}

/** The target and the tiers, highest line first, each percentage once. */
export function linesOf(terms: Terms): readonly ContractLine[] {
  const isTarget = (percent: Percent) => isSame(percent, terms.target);
  const tiers = terms.tiers.map(({ below, voucherPercent }) => ({
    percent: isTarget(below) ? terms.target : below,
    voucherPercent,
  }));
  const isTier = tiers.some(({ percent }) => isTarget(percent));
  if (isTier) return tiers;
  // A target below a tier's edge owes at least that tier's voucher already.
  const above = tiers.filter(({ percent }) => isHigher(percent, terms.target));
  const owed = above.at(-1)?.voucherPercent ?? 0;
  return [...above, { percent: terms.target, voucherPercent: owed }, ...tiers.slice(above.length)];
}

/**
 * Where `lost` windows of `windows` stand against one line.
 * @param crossed  when whole windows do not decide it
 */
export function standing(
  line: ContractLine,
  windows: number,
  lost: number,
  crossed = lost > allowedLosses(windows, line.percent),
): Line {
  const allowed = allowedLosses(windows, line.percent);
  return {
    target: line.percent.text,
    allowed,
    left: Math.max(0, allowed - lost),
    crossed,
    voucherPercent: line.voucherPercent,
  };
}

/** The month's voucher as a share of the fee: that of the lowest line crossed. */
export function voucherPercentOf(lines: readonly Line[]): number {
  return lines.reduce((most, line) => (line.crossed ? Math.max(most, line.voucherPercent) : most), 0);
}

/** The voucher in money, truncated to the minor unit (3.1); undefined without a fee in the terms. */
export function voucherOf(
  terms: Terms,
  voucherPercent: number,
): { amount: string; currency: string } | undefined {
  const fee = terms.monthlyFee && parseAmount(terms.monthlyFee.amount, terms.monthlyFee.currency);
  if (fee === undefined) return undefined;
  return { amount: amountText(shareOf(fee, voucherPercent)), currency: fee.currency };
}

function isSame(a: Percent, b: Percent): boolean {
  return a.numerator === b.numerator && a.denominator === b.denominator;
}

function isHigher(a: Percent, b: Percent): boolean {
  return a.numerator * b.denominator > b.numerator * a.denominator;
}
