import { expect, it } from 'vitest';
import { runChaos } from './chaos.ts';

// The long form, 200,000 outcomes: npm run chaos
const outcomes = 20_000;
const seed = Number(process.env.ROOMWATCH_SEED ?? Date.now() % 1_000_000);

for (const store of ['redis', 'embedded'] as const) {
  it(`every accepted outcome is counted exactly once on ${store} while everything is killed and cut (seed ${seed})`, {
    timeout: 240_000,
  }, async () => {
    const result = await runChaos({
      store,
      outcomes,
      agents: 3,
      seed,
      outcomesPerSecond: 2_000,
      faultEveryMs: 600,
    });
    expect(result.counted).toEqual(result.reported);
    const attempts = Object.values(result.reported).reduce((sum, one) => sum + one.attempts, 0);
    expect(attempts).toBe(outcomes);
    expect(Object.values(result.faults).reduce((sum, n) => sum + n, 0)).toBeGreaterThan(0);
  });
}
