import { type ExpositionFormat, type Family, render } from '../../metrics/registry.ts';
import { mayTouch } from '../access.ts';
import { refusal } from '../answer.ts';
import type { Route } from '../router.ts';

const TYPES: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** @param families  as of now; called for each scrape */
export function metricsRoutes(families: () => Promise<readonly Family[]>): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/metrics',
      need: 'metrics',
      run: async ({ accept, caller }) => {
        // A scrape shows every service at once.
        if (!mayTouch(caller, '*')) {
          return refusal('FORBIDDEN', `the token ${caller.name} covers some services only; use one for all`);
        }
        const format = accept.includes('application/openmetrics-text') ? 'openmetrics' : 'text';
        return { status: 200, type: TYPES[format], body: render(await families(), format) };
      },
    },
  ];
}
