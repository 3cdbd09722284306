import { expect, it } from 'vitest';
import { runAlertsChaos } from './alerts-chaos.ts';

// The long form, 200 kills: npm run chaos -- --alerts
const seed = Number(process.env.ROOMWATCH_SEED ?? Date.now() % 1_000_000);

it(`every notification arrives at least once while two daemons are killed and receivers fail at random (seed ${seed})`, {
  timeout: 480_000,
}, async () => {
  const result = await runAlertsChaos({
    daemons: 2,
    services: 3,
    seed,
    kills: 15,
    killEveryMs: 1_000,
    failing: 0.3,
    episodes: 2,
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
  expect(result.missing).toEqual([]);
  expect(result.decided).toBeGreaterThanOrEqual(3 * 2 * 2);
  expect(result.kills).toBe(15);
});

it(`three daemons on one Redis say everything exactly once while nothing fails (seed ${seed})`, {
  timeout: 120_000,
}, async () => {
  const result = await runAlertsChaos({
    daemons: 3,
    services: 4,
    seed,
    kills: 0,
    killEveryMs: 0,
    failing: 0,
    episodes: 4,
  });
  expect(result.missing).toEqual([]);
  expect(result.duplicates).toEqual({ hook: 0, pager: 0 });
  expect(result.decided).toBeGreaterThanOrEqual(4 * 4 * 2);
});
