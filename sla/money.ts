/** A sum of money, exact. */
export interface Money {
  readonly minorUnits: bigint;
  /** ISO 4217, e.g. 'USD' */
  readonly currency: string;
}

/** Digits after the point in a currency's amounts: 2 for USD, 0 for JPY. Undefined when it is no currency. */
export function currencyDecimals(currency: string): number | undefined {
  if (!/^[A-Z]{3}$/.test(currency.slice(0, 4))) return undefined;
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
}

/** '1234.50' in minor units; undefined when it is not an amount of the currency. */
export function parseAmount(text: string, currency: string): Money | undefined {
  const decimals = currencyDecimals(currency);
  if (decimals === undefined || text.length > 18) return undefined;
  const parts = /^(\d+)(?:\.(\d+))?$/.exec(text);
  if (parts === null || (parts[2] ?? '').length > decimals) return undefined;
  return { minorUnits: BigInt(`${parts[1]}${(parts[2] ?? '').padEnd(decimals, '0')}`), currency };
}

export function amountText(money: Money): string {
  const decimals = currencyDecimals(money.currency) ?? 2;
  if (decimals === 0) return `${money.minorUnits}`;
  const digits = `${money.minorUnits}`.padStart(decimals + 1, '0');
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** A share of a sum, truncated to the minor unit and never more than the sum (clause 3.1). */
export function shareOf(money: Money, percent: number): Money {
  const share = (money.minorUnits * BigInt(percent)) / 100n;
  return { minorUnits: share < money.minorUnits ? share : money.minorUnits, currency: money.currency };
}
