import { json } from '../answer.ts';
import type { Route } from '../router.ts';

/** Why the daemon is not ready; empty when it is. Each a sentence. */
export type Unready = readonly string[];

/** `/healthz`: the process answers. `/readyz`: its answers are current, and what it is sent is kept. */
export function healthRoutes(unready: () => Unready): Route[] {
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
