/**
 * Published contracts as terms, in the shape of a terms file. Only contracts whose text was read are here: for
 * any other vendor write the terms out with `preset: none`.
 */
export const PRESETS = {
  trtc: {
    source: 'Service Level Agreement of Tencent Real-Time Communication (TRTC), clauses 1.2 to 4.14',
    readOn: '2026-11-23',
    /** Clause or decision (sla/README.md) beside each value. */
    terms: {
      timeZone: '+08:00', // decision: the vendor's home zone
      period: 'calendar', // 1.2
      daylightSaving: 'contract', // 1.6: days x 24 x 60
      measure: 'window-threshold', // 1.5
      windowMinutes: 5, // 1.5
      threshold: '99', // 1.5
      target: '99.9', // 2.2
      tiers: [
        { below: '99.9', voucherPercent: 10 }, // 3.1
        { below: '99.5', voucherPercent: 20 },
        { below: '99', voucherPercent: 50 },
      ],
      minAttempts: 1, // decision: literal, no minimum
      lowVolumeBelow: 100, // decision: below it one failure takes a window down
      minConsecutive: 1, // 1.5: one unit lasts 5 minutes
      emptyWindow: 'up', // decision: 0/0 is not lower than 99 %
      countedCauses: ['provider', 'unknown'], // 1.5; decision: unknown counts until shown otherwise
      uncountedFailures: 'leave', // decision: both sides
      bookBy: 'start', // decision: the window in which the request started
      retries: 'each-call', // 1.4
      excludedTime: 'keep', // decision: the total never shrinks
      surge: 'flag', // 4.6; decision: a person decides
      scope: 'account', // 3.1: one Monthly Service Fee
      partialMonth: 'actual', // 1.6
      graceMinutes: 3, // decision: provisional until then
      displayDecimals: 3, // decision: truncated
      claim: { openAfterBusinessDay: 5, deadlineDays: 60, calendar: 'CN' }, // 3.2
    },
  },
} as const;

export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as PresetName[];
