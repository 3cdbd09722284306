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
    enabled: z.boolean(),
    forMs: duration,
    clearForMs: duration,
    remindEveryMs: z.union([
      z.literal(0),
      z
        .int()
        .min(MINUTE_MS)
        .max(31 * DAY_MS),
    ]),
  })
  .partial();

const { entryFailing, budget, near, blind, claim } = DEFAULT_SETTINGS;

const settingsShape = {
  steps: z.partialRecord(z.enum(STEPS), timing).default({}),
  entryFailing: z
    .strictObject({
      belowPercent: points.default(entryFailing.belowPercent),
      clearPercent: points.default(entryFailing.clearPercent),
      minFailures: z.int().min(1).max(1_000_000).default(entryFailing.minFailures),
      windowsInARow: z.int().min(1).max(288).default(entryFailing.windowsInARow),
    })
    .refine((it) => it.clearPercent >= it.belowPercent, {
      path: ['clearPercent'],
      message: 'is below belowPercent: it would clear while it still fires; raise it',
    })
    .prefault({}),
  budget: z.strictObject({ lostShare: share.default(budget.lostShare) }).prefault({}),
  near: z
    .strictObject({
      marginPoints: points.default(near.marginPoints),
      clearMarginPoints: points.default(near.clearMarginPoints),
      probability: share.default(near.probability),
      clearProbability: share.default(near.clearProbability),
      windowsLeft: z.int().min(0).max(1_000).default(near.windowsLeft),
    })
    .refine((it) => it.clearMarginPoints >= it.marginPoints, {
      path: ['clearMarginPoints'],
      message: 'is below marginPoints: it would clear while it still fires; raise it',
    })
    .refine((it) => it.clearProbability <= it.probability, {
      path: ['clearProbability'],
      message: 'is above probability: it would clear while it still fires; lower it',
    })
    .prefault({}),
  blind: z
    .strictObject({
      // An agent reports once a minute: less than two minutes would call a healthy one silent.
      silentMs: z
        .int()
        .min(2 * MINUTE_MS)
        .max(DAY_MS)
        .default(blind.silentMs),
      coverage: share.default(blind.coverage),
      clearCoverage: share.default(blind.clearCoverage),
    })
    .refine((it) => it.clearCoverage >= it.coverage, {
      path: ['clearCoverage'],
      message: 'is below coverage: it would clear while it still fires; raise it',
    })
    .prefault({}),
  claim: z
    .strictObject({
      remindDaysBefore: z
        .array(z.int().min(1).max(365))
        .max(10)
        .default([...claim.remindDaysBefore]),
    })
    .prefault({}),
};

export const alertingSchema = z
  .strictObject({
    /** Base of the daemon's page as people reach it, for links. */
    externalUrl: z.union([z.literal(''), httpUrl]).default(''),
    runbookUrl: z.union([z.literal(''), httpUrl]).default(''),
    dryRun: z.boolean().default(false),
    /** How long a message waits for company, so that many services at once are one message. */
    groupWaitMs: z.int().min(0).max(MINUTE_MS).default(3_000),
    /** How long a receiver may take to answer; a daemon that dies in mid-send delays a message by about three. */
    sendTimeoutMs: z.int().min(1_000).max(MINUTE_MS).default(20_000),
    ...settingsShape,
    receivers: z.array(receiverSchema).max(100).default([]),
    deadMansSwitch: z
      .strictObject({
        url: httpUrl,
        intervalMs: z.int().min(5_000).max(DAY_MS).default(MINUTE_MS),
      })
      .nullable()
      .default(null),
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
