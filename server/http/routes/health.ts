import { json } from '../answer.ts';
import type { Route } from '../router.ts';

/**
 * `/healthz`: the process answers. `/readyz`: its answers are current, and what it is sent is kept.
 * @param unready  why it is not ready, each a sentence; empty when it is
 */
export function healthRoutes(unready: () => readonly string[]): Route[] {
  return [
    { method: 'GET', pattern: '/healthz', need: 'nothing', run: () => json({ status: 'alive' }) },
    {
      method: 'GET',
      pattern: '/readyz',
      need: 'nothing',
      run: () => {
        const reasons = unready();
        return reasons.length === 0 ? json({ status: 'ready' }) : json({ status: 'not ready', reasons }, 503);
      },
    },
  ];
}
