import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Reading } from '../../sla/reading.ts';
import { TOLD_BY_PROMETHEUS } from '../stack/settings.ts';
import { type Stack, startStack } from '../stack/stack.ts';
import { waitFor } from '../support/wait-for.ts';

const OUTAGE_AFTER_MS = 10_000;
const WITHIN = { withinMs: 120_000, everyMs: 500 };

let stack: Stack;
beforeAll(async () => {
  const fromMs = Date.now() + OUTAGE_AFTER_MS;
  stack = await startStack({ outage: { fromMs, toMs: fromMs + 10 * 60_000, share: 0.5 } });
}, 120_000);
afterAll(() => stack?.stop(), 60_000);

/** Services whose entries are said to fail, by one of the two ways. */
const failing = async (by: 'daemon' | 'prometheus') =>
  (await stack.alerts())
    .filter(({ labels }) => labels.alertname === 'RoomwatchEntryFailing')
    .filter(({ labels }) => (labels.told_by === TOLD_BY_PROMETHEUS.told_by) === (by === 'prometheus'))
    .map(({ labels }) => labels.service);

it('an incident fires in Alertmanager by both ways: told by the daemon, and found by Prometheus', {
  timeout: 400_000,
}, async () => {
  await waitFor('both targets to be up', async () => {
    const up = await stack.prometheus.query('up');
    return up.length === 2 && up.every(({ value }) => value === 1);
  });
  for (const service of ['classroom', 'live-shopping']) {
    for (const by of ['daemon', 'prometheus'] as const) {
      await waitFor(`${service} by ${by}`, async () => (await failing(by)).includes(service), WITHIN);
    }
  }
  await waitFor(
    'the same on the page',
    async () => {
      const asked = await fetch(`${stack.addresses.page}api/v1/services`);
      const { services } = (await asked.json()) as { services: Partial<Reading>[] };
      return services.length === 2 && services.every(({ openWindow }) => openWindow?.alreadyLost === true);
    },
    WITHIN,
  );
  await waitFor(
    'a mail',
    () => stack.mails.some(({ mail }) => mail.subject?.includes('classroom') === true),
    WITHIN,
  );
  expect(stack.dead()).toEqual([]);
});
