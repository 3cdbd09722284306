import { z } from 'zod';
import { quote } from '../sla/text.ts';
import { STEPS } from './alert.ts';
import { httpUrl, receiverSchema } from './receiver-config.ts';
import { DEFAULT_SETTINGS } from './settings.ts';

/**
 * The `alerting` section of the daemon's configuration, for the server's schema to include. A text that holds a
 * secret is never repeated in a fault; the server's loader also takes it from `<key>File` or the environment.
 */

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const duration = z
  .int()
  .min(0)
  .max(31 * DAY_MS);
const share = z.number().min(0).max(1);
const points = z.number().min(0).max(100);
const timing = z
  .strictObject({
    enabled: z.boolean().describe('Whether it is said at all.'),
    forMs: duration.describe('How long it must hold before it is said.'),
    clearForMs: duration.describe('How long it must be clear before it is resolved.'),
    remindEveryMs: z
      .union([
        z.literal(0),
        z
          .int()
          .min(MINUTE_MS)
          .max(31 * DAY_MS),
      ])
      .describe('Between reminders while it fires and nobody acknowledged it; 0 = none.'),
  })
  .partial();

const { entryFailing, budget, near, blind, claim } = DEFAULT_SETTINGS;

const settingsShape = {
  steps: z
    .partialRecord(z.enum(STEPS), timing)
    .default({})
    .describe(`What differs from the defaults (alerts/README.md), by step: ${STEPS.join(', ')}.`),
  entryFailing: z
    .strictObject({
      belowPercent: points
        .default(entryFailing.belowPercent)
        .describe('Fires below this success percentage of the trailing five minutes.'),
      clearPercent: points.default(entryFailing.clearPercent).describe('Clears at this one or above.'),
      minFailures: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(entryFailing.minFailures)
        .describe('With at least so many counted failures, or ...'),
      windowsInARow: z
        .int()
        .min(1)
        .max(288)
        .default(entryFailing.windowsInARow)
        .describe('... so many windows lost in a row, the one in progress included.'),
    })
    .refine((it) => it.clearPercent >= it.belowPercent, {
      path: ['clearPercent'],
      message: 'is below belowPercent: it would clear while it still fires; raise it',
    })
    .prefault({})
    .describe('The step entry-failing.'),
  budget: z
    .strictObject({
      lostShare: share.default(budget.lostShare).describe('Share of the allowed windows that is lost.'),
    })
    .prefault({})
    .describe('The step budget.'),
  near: z
    .strictObject({
      marginPoints: points
        .default(near.marginPoints)
        .describe(
          'Fires when the expected projection is less than the target and so many percentage points.',
        ),
      clearMarginPoints: points.default(near.clearMarginPoints).describe('Clears above this margin.'),
      probability: share.default(near.probability).describe('Or at this chance to miss the line.'),
      clearProbability: share.default(near.clearProbability).describe('Clears below this chance.'),
      windowsLeft: z
        .int()
        .min(0)
        .max(1_000)
        .default(near.windowsLeft)
        .describe('Or with so few windows left.'),
    })
    .refine((it) => it.clearMarginPoints >= it.marginPoints, {
      path: ['clearMarginPoints'],
      message: 'is below marginPoints: it would clear while it still fires; raise it',
    })
    .refine((it) => it.clearProbability <= it.probability, {
      path: ['clearProbability'],
      message: 'is above probability: it would clear while it still fires; lower it',
    })
    .prefault({})
    .describe('The step near.'),
  blind: z
    .strictObject({
      // An agent reports once a minute: less than two minutes would call a healthy one silent.
      silentMs: z
        .int()
        .min(2 * MINUTE_MS)
        .max(DAY_MS)
        .default(blind.silentMs)
        .describe('No agent alive for so long is blind.'),
      coverage: share
        .default(blind.coverage)
        .describe("Share of the last hour's windows that must have been watched."),
      clearCoverage: share.default(blind.clearCoverage).describe('Clears at this share or above.'),
    })
    .refine((it) => it.clearCoverage >= it.coverage, {
      path: ['clearCoverage'],
      message: 'is below coverage: it would clear while it still fires; raise it',
    })
    .prefault({})
    .describe('The step blind.'),
  claim: z
    .strictObject({
      remindDaysBefore: z
        .array(z.int().min(1).max(365))
        .max(10)
        .default([...claim.remindDaysBefore])
        .describe('Days before the deadline on which it is said again, largest first.'),
    })
    .prefault({})
    .describe('The step claim.'),
};

export const alertingSchema = z
  .strictObject({
    externalUrl: z
      .union([z.literal(''), httpUrl])
      .default('')
      .describe("Base of the daemon's page as people reach it, for links in messages."),
    runbookUrl: z
      .union([z.literal(''), httpUrl])
      .default('')
      .describe('What to do then, linked in every message.'),
    dryRun: z.boolean().default(false).describe('Decide and log everything, send nothing.'),
    groupWaitMs: z
      .int()
      .min(0)
      .max(MINUTE_MS)
      .default(3_000)
      .describe('How long a message waits for company, so that many services at once are one message.'),
    sendTimeoutMs: z
      .int()
      .min(1_000)
      .max(MINUTE_MS)
      .default(20_000)
      .describe(
        'How long a receiver may take to answer; a daemon that dies in mid-send delays a message by about three times as long.',
      ),
    ...settingsShape,
    receivers: z.array(receiverSchema).max(100).default([]).describe('Who is told, and how.'),
    deadMansSwitch: z
      .strictObject({
        url: httpUrl.describe('Gets a request while all is well; silence there is the alarm.'),
        intervalMs: z.int().min(5_000).max(DAY_MS).default(MINUTE_MS).describe('How often.'),
      })
      .nullable()
      .default(null)
      .describe('Tells somebody else that the daemon lives, evaluates and delivers.'),
  })
  .superRefine(({ receivers }, context) => {
    const fault = (i: number, key: string, text: string) =>
      context.addIssue({ code: 'custom', path: ['receivers', i, key], message: text });
    for (const [i, receiver] of receivers.entries()) {
      if (receivers.findIndex((one) => one.name === receiver.name) < i) {
        fault(i, 'name', `is ${quote(receiver.name)} like an earlier one; a name is given once`);
      }
      if (receiver.type === 'alertmanager' || receiver.fallback === null) continue;
      const fallback = receivers.find((one) => one.name === receiver.fallback);
      if (receiver.fallback === receiver.name)
        fault(i, 'fallback', 'is the receiver itself; name another one');
      else if (!fallback)
        fault(i, 'fallback', `is ${quote(receiver.fallback)}, which is no receiver; add it`);
      else if (fallback.type === 'alertmanager') {
        fault(
          i,
          'fallback',
          'is an alertmanager, which mirrors alerts and takes no messages; name another one',
        );
      }
    }
  });
/** What `alertingSchema` gives: complete, every default filled in. */
export type AlertingConfig = z.output<typeof alertingSchema>;
