import { STEPS, type Step } from '../alert.ts';
import type { AlertingConfig } from '../config.ts';
import type { Route } from '../input.ts';
import type { MessageReceiver, Receiver } from '../receiver.ts';
import type { ReceiverConfig } from '../receiver-config.ts';
import { type AlertSettings, DEFAULT_SETTINGS, type StepTiming } from '../settings.ts';
import { openAlertmanager } from './alertmanager.ts';
import { openEmail } from './email.ts';
import type { Links } from './labels.ts';
import type { Notifier } from './notifier.ts';
import { openPagerDuty } from './pagerduty.ts';
import { openSlack } from './slack.ts';
import { openWebhook } from './webhook.ts';

/**
 * Makes the receivers of a configuration. An e-mail receiver becomes one for each of its addresses, so that
 * what happens to one recipient neither repeats nor withholds another one's mail.
 */
export function openReceivers(config: AlertingConfig): Receiver[] {
  const links: Links = {
    externalUrl: config.externalUrl.replace(/\/+$/, ''),
    runbookUrl: config.runbookUrl,
  };
  const namesOf = (name: string | null): string[] =>
    config.receivers
      .filter((one) => one.name === name)
      .flatMap((one) => lanesOf(one).map((lane) => lane.name));
  return config.receivers.flatMap((receiver): Receiver[] => {
    if (receiver.type === 'alertmanager') {
      return [
        {
          kind: 'mirror',
          name: receiver.name,
          route: routeOf(receiver, receiver.name),
          replicas: receiver.urls.map((url) => openAlertmanager({ ...receiver, ...links, url })),
        },
      ];
    }
    return lanesOf(receiver).map(
      ({ name, recipient }): MessageReceiver => ({
        kind: 'message',
        name,
        route: routeOf(receiver, name),
        notifier: notifierOf(receiver, recipient, links),
        fallbacks: namesOf(receiver.fallback),
        messagesPerMinute: receiver.messagesPerMinute,
      }),
    );
  });
}

/** What each receiver of a configuration wants to hear, without opening any of them. */
export function routesOf(config: AlertingConfig): Route[] {
  return config.receivers.flatMap((receiver) =>
    receiver.type === 'alertmanager'
      ? [routeOf(receiver, receiver.name)]
      : lanesOf(receiver).map(({ name }) => routeOf(receiver, name)),
  );
}

/** The thresholds of a configuration, the unchanged ones by default. */
export function settingsOf(config: AlertingConfig): AlertSettings {
  const { entryFailing, budget, near, blind, claim } = config;
  const steps = Object.fromEntries(
    STEPS.map((step) => [step, { ...DEFAULT_SETTINGS.steps[step], ...given(config.steps[step]) }]),
  ) as Record<Step, StepTiming>;
  return { steps, entryFailing, budget, near, blind, claim };
}

function given(timing: AlertingConfig['steps'][Step]): Partial<StepTiming> {
  return Object.fromEntries(Object.entries(timing ?? {}).filter(([, value]) => value !== undefined));
}

/** Names may not contain '/', so that an address behind one cannot be another receiver's name. */
function lanesOf(receiver: ReceiverConfig): { name: string; recipient: string }[] {
  if (receiver.type !== 'email') return [{ name: receiver.name, recipient: '' }];
  if (receiver.to.length === 1) return [{ name: receiver.name, recipient: receiver.to[0]! }];
  return receiver.to.map((recipient) => ({ name: `${receiver.name}/${recipient}`, recipient }));
}

function routeOf(receiver: ReceiverConfig, name: string): Route {
  return {
    receiver: name,
    minSeverity: receiver.minSeverity,
    steps: receiver.steps,
    services: receiver.services,
    acknowledgements: receiver.type === 'pagerduty',
    reminders: receiver.type !== 'alertmanager' && receiver.reminders,
  };
}

function notifierOf(
  receiver: Exclude<ReceiverConfig, { type: 'alertmanager' }>,
  recipient: string,
  links: Links,
): Notifier {
  switch (receiver.type) {
    case 'email':
      return openEmail({ ...receiver, ...links, recipient });
    case 'webhook':
      return openWebhook({ ...receiver, ...links });
    case 'slack':
      return openSlack({ ...receiver, ...links });
    case 'pagerduty':
      return openPagerDuty({ ...receiver, ...links });
  }
}
