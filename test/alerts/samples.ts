import type { Alert } from '../../alerts/alert.ts';

const FIRED_MS = Date.parse('2026-11-23T06:21:00Z');

/** A failing entry with two windows left, as decided at 14:23 in the contract's zone; parts may be changed. */
export function alertOf(wishes: Partial<Alert> = {}): Alert {
  return {
    key: 'acme:-:entry-failing:-:1',
    service: 'acme',
    step: 'entry-failing',
    severity: 'critical',
    kind: 'firing',
    month: '',
    line: '',
    sinceMs: Date.parse('2026-11-23T06:20:00Z'),
    firedAtMs: FIRED_MS,
    resolvedAtMs: null,
    resolvedBecause: null,
    decidedAtMs: Date.parse('2026-11-23T06:23:00Z'),
    reminder: 0,
    acknowledgedBy: null,
    timeZone: '+08:00',
    figures: {
      month: '2026-11',
      days: 30,
      endMs: Date.parse('2026-11-30T16:00:00Z'),
      availability: '99.930%',
      unit: 'window',
      allowed: 8,
      lost: 6,
      left: 2,
      lowVolumeLost: 0,
      downtimeMinutes: 30,
      windowsRemaining: 2_100,
      expectedAvailability: 0.99912,
      breachProbability: 0.41,
      voucherPercent: 0,
      voucher: null,
      lines: [
        { target: '99.9', allowed: 8, left: 2, crossed: false, voucherPercent: 10 },
        { target: '99.5', allowed: 43, left: 37, crossed: false, voucherPercent: 20 },
        { target: '99', allowed: 86, left: 80, crossed: false, voucherPercent: 50 },
      ],
    },
    entry: {
      windowStartMs: Date.parse('2026-11-23T06:20:00Z'),
      attempts: 300,
      failures: 180,
      windowLost: true,
      rollingAttempts: 500,
      rollingFailures: 180,
    },
    fall: { target: '99.9', atMs: Date.parse('2026-11-23T06:35:00Z'), voucherPercent: 10 },
    where: {
      sinceMs: Date.parse('2026-11-23T06:20:00Z'),
      failures: 180,
      regions: [
        { name: 'ap-guangzhou', failures: 144 },
        { name: 'ap-shanghai', failures: 36 },
      ],
      platforms: [{ name: 'web-v5', failures: 180 }],
      causes: [{ name: 'unknown', failures: 180 }],
      codes: [{ name: '5400/-10015', failures: 171 }],
    },
    blind: null,
    claim: null,
    picture: {
      firstDay: 1,
      hours: `${'0'.repeat(200)}33${'0'.repeat(340)}${'.'.repeat(178)}`,
    },
    test: false,
    ...wishes,
  };
}
