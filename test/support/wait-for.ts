import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Polls a condition until it holds; a condition that throws does not hold yet.
 * @returns the first value that is neither false, null nor undefined
 * @throws after `withinMs`, with what was waited for and the last error
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  { withinMs = 10_000, everyMs = 20 }: { withinMs?: number; everyMs?: number } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadlineMs = Date.now() + withinMs;
  let last: unknown;
  while (Date.now() < deadlineMs) {
    try {
      const value = await condition();
      if (value !== false && value !== null && value !== undefined) {
        return value as NonNullable<Exclude<T, false>>;
      }
      last = value;
    } catch (error) {
      last = error;
    }
    await sleep(everyMs);
  }
  throw new Error(`waited ${withinMs} ms in vain for ${what}; last: ${String(last)}`);
}
