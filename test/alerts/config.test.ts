import { describe, expect, it } from 'vitest';
import { alertingSchema } from '../../alerts/config.ts';
import { openReceivers, settingsOf } from '../../alerts/notify/open.ts';
import { DEFAULT_SETTINGS } from '../../alerts/settings.ts';
import { timingOf } from '../../alerts/timing.ts';

const MAIL = {
  name: 'ops',
  type: 'email',
  host: 'mail.example.org',
  from: 'roomwatch <alerts@example.org>',
  to: ['ops@example.org'],
};
const HOOK = { name: 'hook', type: 'webhook', url: 'https://hooks.example.org/x' };

/** "receivers.0.tls: is none, ...", every fault at once. */
function faults(config: unknown): string[] {
  const parsed = alertingSchema.safeParse(config);
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the alerting section', () => {
  it('may be empty: the defaults are those of the table', () => {
    const config = alertingSchema.parse({});
    expect(settingsOf(config)).toEqual(DEFAULT_SETTINGS);
    expect(openReceivers(config)).toEqual([]);
  });

  it('changes one thing of a step and leaves the others', () => {
    const { steps } = settingsOf(alertingSchema.parse({ steps: { near: { remindEveryMs: 3_600_000 } } }));
    expect(steps.near).toEqual({ ...DEFAULT_SETTINGS.steps.near, remindEveryMs: 3_600_000 });
    expect(steps.budget).toEqual(DEFAULT_SETTINGS.steps.budget);
  });

  it('makes one receiver of each address, so that recipients do not depend on each other', () => {
    const to = ['ops@example.org', 'lead@example.org'];
    const receivers = openReceivers(
      alertingSchema.parse({
        receivers: [
          { ...MAIL, to },
          { ...HOOK, fallback: 'ops' },
        ],
      }),
    );
    expect(receivers.map(({ name }) => name)).toEqual([
      'ops/ops@example.org',
      'ops/lead@example.org',
      'hook',
    ]);
    expect(receivers[2]).toMatchObject({ fallbacks: ['ops/ops@example.org', 'ops/lead@example.org'] });
  });

  it('says all that is wrong at once, with its place and the fix', () => {
    expect(
      faults({
        near: { probability: 0.2, clearProbability: 0.3 },
        blind: { silentMs: 1_000 },
        receivers: [
          { ...MAIL, tls: 'none', user: 'me', password: 'pw' },
          { ...HOOK, fallback: 'nobody' },
          { ...HOOK, fallback: 'hook' },
          { name: 'am', type: 'alertmanager', urls: ['https://me:pw@am.example.org'] },
        ],
      }),
    ).toEqual([
      'near.clearProbability: is above probability: it would clear while it still fires; lower it',
      'blind.silentMs: Too small: expected number to be >=120000',
      'receivers.0.tls: is none, which would send the password in the clear; use starttls or implicit',
      'receivers.3.urls.0: must be an http:// or https:// address without a user or password in it',
      'receivers.1.fallback: is "nobody", which is no receiver; add it',
      'receivers.2.name: is "hook" like an earlier one; a name is given once',
      'receivers.2.fallback: is the receiver itself; name another one',
    ]);
  });

  it.each([
    [{ entryFailing: { belowPercent: 99.6 } }, 'entryFailing.clearPercent'],
    [{ near: { marginPoints: 0.05 } }, 'near.clearMarginPoints'],
    [{ blind: { coverage: 0.99 } }, 'blind.clearCoverage'],
    [{ receivers: [{ ...MAIL, to: ['a@b\r\nBcc: c@d'] }] }, 'receivers.0.to.0'],
    [{ receivers: [{ ...MAIL, from: 'x\r\ny <a@b>' }] }, 'receivers.0.from'],
    [{ receivers: [{ ...MAIL, user: 'me' }] }, 'receivers.0.password'],
    [{ receivers: [{ ...HOOK, url: 'ftp://example.org' }] }, 'receivers.0.url'],
    [{ receivers: [{ name: 'p', type: 'pagerduty', routingKey: 'short' }] }, 'receivers.0.routingKey'],
    [{ receivers: [{ ...HOOK, nmae: 'typo' }] }, 'receivers.0'],
    [
      {
        receivers: [
          { ...HOOK, fallback: 'am' },
          { name: 'am', type: 'alertmanager', urls: ['http://am:9093'] },
        ],
      },
      'receivers.0.fallback',
    ],
  ])('refuses %j at %s', (config, path) => {
    expect(faults(config).map((fault) => fault.split(':')[0])).toEqual([path]);
  });

  it('never repeats a secret in a fault', () => {
    const secret = 'top\nsecret-value';
    const text = JSON.stringify(
      faults({
        receivers: [
          { ...MAIL, user: 'u', password: secret },
          { ...HOOK, token: secret, secret },
          { name: 'p', type: 'pagerduty', routingKey: secret },
          { name: 's', type: 'slack', url: `not-a-url-${secret}` },
        ],
        deadMansSwitch: { url: `nope-${secret}` },
      }),
    );
    expect(text).toContain('receivers.0.password');
    expect(text).not.toContain('secret-value');
  });

  it.each([
    { groupWaitMs: 0, sendTimeoutMs: 1_000 },
    { groupWaitMs: 60_000, sendTimeoutMs: 1_000 },
    { groupWaitMs: 60_000, sendTimeoutMs: 60_000 },
  ])('leaves time for a send after the wait for company within the lease: %j', (config) => {
    const { leaseMs, groupWaitMs, sendTimeoutMs } = timingOf(alertingSchema.parse(config));
    expect(leaseMs - groupWaitMs).toBeGreaterThan(sendTimeoutMs);
  });
});
