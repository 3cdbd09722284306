/**
 * Who a failed room entry is attributable to (clauses 1.5 and 4.x).
 * `provider` and `unknown` count against the provider; `customer` (4.1-4.8) and `network` (4.11) leave both
 * sides of the success rate.
 */
export const CAUSES = ['provider', 'unknown', 'customer', 'network'] as const;
export type Cause = (typeof CAUSES)[number];
