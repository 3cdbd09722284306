import { describe, expect, it } from 'vitest';
import { PRESETS, parseTerms, presetTerms, termsRecord, termsSchema } from '../../sla/terms.ts';
import { termsOf } from './months.ts';

function faultsOf(input: unknown) {
  const parsed = parseTerms(input);
  if (parsed.ok) throw new Error('was accepted');
  return parsed.faults.map(({ path, message }) => `${path.join('.')} ${message}`);
}

describe('the trtc preset', () => {
  it('is what the contract and the decisions say', () => {
    const terms = presetTerms('trtc');
    expect(terms).toMatchObject({
      preset: 'trtc',
      timeZone: '+08:00',
      windowMinutes: 5,
      threshold: { numerator: 99, denominator: 100 },
      target: { numerator: 999, denominator: 1_000 },
      minAttempts: 1,
      minConsecutive: 1,
      emptyWindow: 'up',
      countedCauses: ['provider', 'unknown'],
      partialMonth: 'actual',
      lowVolumeBelow: 100,
      graceMinutes: 3,
      claim: { openAfterBusinessDay: 5, deadlineDays: 60, calendar: 'CN' },
    });
    expect(terms.tiers.map(({ below, voucherPercent }) => [below.text, voucherPercent])).toEqual([
      ['99.9', 10],
      ['99.5', 20],
      ['99', 50],
    ]);
  });

  it.each([undefined, null, {}, { preset: 'trtc' }])('is what %j means', (input) => {
    expect(parseTerms(input)).toEqual({ ok: true, terms: presetTerms('trtc') });
  });

  it('says where it was read', () => {
    for (const preset of Object.values(PRESETS)) {
      expect(preset.source).toMatch(/clauses/);
      expect(preset.readOn).toMatch(/^\d{4}-\d\d-\d\d$/);
    }
  });
});

describe('terms', () => {
  it('are frozen throughout', () => {
    const terms = termsOf({ tiers: [{ below: '99', voucherPercent: 5 }] });
    for (const part of [
      terms,
      terms.tiers,
      terms.tiers[0],
      terms.tiers[0]?.below,
      terms.claim,
      terms.countedCauses,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it('change one field and keep the others of the preset', () => {
    const terms = termsOf({ threshold: '99.95', claim: { deadlineDays: 30 } });
    expect(terms.threshold).toMatchObject({ numerator: 1_999, denominator: 2_000 });
    expect(terms.claim).toEqual({ openAfterBusinessDay: 5, deadlineDays: 30, calendar: 'CN' });
    expect(terms.target.text).toBe('99.9');
  });

  it('sort tiers by line and causes by table, whatever the order of writing', () => {
    const terms = termsOf({
      tiers: [
        { below: '95', voucherPercent: 100 },
        { below: '99', voucherPercent: 30 },
      ],
      countedCauses: ['network', 'provider', 'network'],
    });
    expect(terms.tiers.map(({ below }) => below.text)).toEqual(['99', '95']);
    expect(terms.countedCauses).toEqual(['provider', 'network']);
  });

  it('survive being written out and read again', () => {
    const terms = termsOf({
      threshold: '98.5',
      serviceStart: '2026-03-17',
      serviceEnd: '2026-06-16',
      monthlyFee: { amount: '12', currency: 'CNY' },
      claim: { calendar: 'weekdays' },
    });
    expect(termsOf(JSON.parse(JSON.stringify(termsRecord(terms))))).toEqual(terms);
  });

  it('of another contract stand alone under preset none', () => {
    const { terms: fields } = PRESETS.trtc;
    expect(termsOf({ ...fields, preset: 'none' }).preset).toBe('none');
    const { target: _, ...lacking } = fields;
    expect(faultsOf({ ...lacking, claim: { calendar: 'CN' }, preset: 'none' })).toEqual([
      'target is missing; without a preset every field must be given',
      'claim.openAfterBusinessDay is missing; without a preset every field must be given',
      'claim.deadlineDays is missing; without a preset every field must be given',
    ]);
  });

  it('are the same through the schema that a configuration embeds', () => {
    expect(termsSchema.parse({ threshold: '98' })).toEqual(termsOf({ threshold: '98' }));
  });
});

describe('a fault in terms', () => {
  it('is told together with all others', () => {
    expect(
      faultsOf({
        threshold: 99,
        windowMinutes: 7,
        timezone: '+08:00',
        claim: { calender: 'CN' },
        minAttempts: 0,
      }),
    ).toEqual([
      'windowMinutes is 7; write minutes that divide a day of 1,440, like 5',
      'threshold is 99; write a percentage as text, more than 0 to 100 with up to six decimals, like "99.9"',
      'minAttempts is 0; write an integer from 1 to 1,000,000',
      'claim.calender is unknown; did you mean calendar?',
      'timezone is unknown; did you mean timeZone?',
    ]);
  });

  it.each([
    ['preset', { preset: 'trct' }, 'is "trct"; write trtc or none'],
    ['timeZone', { timeZone: '+08:10' }, 'steps of 15 minutes'],
    ['timeZone', { timeZone: '+15:00' }, 'steps of 15 minutes'],
    ['timeZone', { timeZone: '+0800' }, 'steps of 15 minutes'],
    ['timeZone', { timeZone: 'Asia/Shangai' }, 'IANA name'],
    ['timeZone', { timeZone: 8 }, 'is 8'],
    ['serviceStart', { serviceStart: '2026-02-29' }, 'date of the calendar'],
    ['serviceEnd', { serviceStart: '2026-03-02', serviceEnd: '2026-03-01' }, 'before serviceStart'],
    ['threshold', { threshold: '0' }, 'more than 0'],
    ['target', { target: '100.1' }, 'more than 0 to 100'],
    [
      'tiers',
      {
        tiers: [
          { below: '99', voucherPercent: 5 },
          { below: '99.0', voucherPercent: 5 },
        ],
      },
      'twice',
    ],
    [
      'tiers',
      {
        tiers: [
          { below: '99', voucherPercent: 5 },
          { below: '98', voucherPercent: 4 },
        ],
      },
      'owes less below 98',
    ],
    ['tiers.0.voucherPercent', { tiers: [{ below: '99', voucherPercent: 101 }] }, 'integer from 1 to 100'],
    [
      'tiers.0.voucher',
      { tiers: [{ below: '99', voucherPercent: 5, voucher: 1 }] },
      'did you mean voucherPercent',
    ],
    ['countedCauses', { countedCauses: [] }, 'nothing could ever be down'],
    ['countedCauses.0', { countedCauses: ['vendor'] }, 'write provider or unknown or customer or network'],
    ['emptyWindow', { emptyWindow: 'idle' }, 'write up or down'],
    ['minConsecutive', { minConsecutive: 13 }, 'from 1 to 12'],
    ['windowMinutes', { windowMinutes: 2.5 }, 'from 1 to 1,440'],
    ['monthlyFee.amount', { monthlyFee: { amount: '1.234', currency: 'USD' } }, 'no more decimals'],
    ['monthlyFee.amount', { monthlyFee: { amount: 12, currency: 'USD' } }, 'as text'],
    ['monthlyFee.currency', { monthlyFee: { amount: '12', currency: 'usd' } }, 'ISO 4217'],
    ['monthlyFee.currency', { monthlyFee: { amount: '12' } }, 'is missing'],
    ['claim.deadlineDays', { claim: { deadlineDays: 0 } }, 'from 1 to 366'],
    ['daylightSaving', { daylightSaving: 'elapsed' }, 'possible reading that roomwatch does not implement'],
    ['measure', { measure: 'minutes-down' }, 'possible reading that roomwatch does not implement'],
    [
      'minConsecutive',
      { measure: 'mean-window-error', minConsecutive: 2 },
      'each window counts by itself; write 1',
    ],
    ['period', { period: 'anniversary' }, 'possible reading that roomwatch does not implement'],
    ['bookBy', { bookBy: 'end' }, 'possible reading that roomwatch does not implement'],
    ['surge', { surge: 'exclude' }, 'possible reading that roomwatch does not implement'],
    ['bookBy', { bookBy: 'middle' }, 'is "middle"; write start'],
    ['', [], 'write an object'],
    ['', 'trtc', 'write an object'],
  ])('at %s in %j says what to write', (path, input, text) => {
    const faults = faultsOf(input);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${path.replaceAll('.', '\\.')} `));
    expect(faults[0]).toContain(text);
  });

  it('never repeats more than eighty characters of a value', () => {
    expect(faultsOf({ threshold: 'x'.repeat(100_000) })[0]!.length).toBeLessThan(200);
    expect(faultsOf({ ['y'.repeat(100_000)]: 1 })[0]).toContain('is not one of');
  });
});
