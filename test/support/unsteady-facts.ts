import type { FactStore } from '../../server/store/store.ts';
import { StoreUnavailable } from '../../server/store/store.ts';

/** What a call to the store meets on its way. */
export type Weather = 'fair' | 'call-lost' | 'answer-lost' | 'slow';

/**
 * A real store behind a bad network: a call may be lost before it takes effect, its answer after, or both be
 * late. What takes effect is done by the store itself.
 */
export function unsteady(facts: FactStore, weather: (service: string) => Weather): FactStore {
  const through = async <T>(service: string, call: () => Promise<T>): Promise<T> => {
    const now = weather(service);
    if (now === 'call-lost') throw new StoreUnavailable('the call was lost');
    if (now === 'slow') await new Promise((resolve) => setTimeout(resolve, 5));
    const answer = await call();
    if (now === 'answer-lost') throw new StoreUnavailable('the answer was lost');
    return answer;
  };
  return {
    openEpoch: (request) => through(request.services[0] ?? '', () => facts.openEpoch(request)),
    apply: (delta, nowMs) => through(delta.service, () => facts.apply(delta, nowMs)),
    services: () => facts.services(),
    readMinutes: (service, from, to) => facts.readMinutes(service, from, to),
    revisions: (service) => facts.revisions(service),
    origins: (service, from, to) => facts.origins(service, from, to),
  };
}
