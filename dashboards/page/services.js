// Every service with its windows left, the one with the fewest first.

import { callJson } from './api.js';
import { byId, byIdAs, element, fill } from './element.js';
import { plural } from './figures.js';
import { routeTo } from './route.js';

/** @import { Headline, ServiceRecord } from './types.d.ts' */

// On a narrow screen the list would push the month out of sight.
if (matchMedia('(max-width: 860px)').matches) byIdAs('services-fold', HTMLDetailsElement).open = false;

/** With fewer services a filter would only take room. */
const FILTER_FROM = 9;

/** @returns {Promise<Headline[]>} the one with the fewest windows left first */
export async function fetchHeadlines() {
  /** @type {{ services: ServiceRecord[] }} */
  const { services } = await callJson('/api/v1/services');
  return services
    .map(({ service, month, budget }) => ({
      service,
      month,
      left: budget?.left ?? null,
      isMissed: budget !== undefined && budget.lost > budget.allowed,
    }))
    .sort(worstFirst);
}

/** @param {readonly Headline[]} headlines @param {string | null} chosen @param {string | null} month  null for the current one */
export function showServices(headlines, chosen, month) {
  const filter = byIdAs('services-filter', HTMLInputElement);
  filter.hidden = headlines.length < FILTER_FROM;
  filter.oninput = () => showServices(headlines, chosen, month);
  byId('services').hidden = headlines.length < 2;
  fill(byId('services-count'), headlines.length);
  const wanted = filter.hidden ? '' : filter.value.trim().toLowerCase();
  const rows = headlines.filter(({ service }) => service.toLowerCase().includes(wanted));
  fill(
    byId('services-list'),
    ...rows.map((headline) => row(headline, headline.service === chosen, month)),
    rows.length === 0 ? element('li', { class: 'faint' }, 'no service has that in its name') : null,
  );
}

/** @param {Headline} headline @param {boolean} isChosen @param {string | null} month */
function row({ service, left, isMissed }, isChosen, month) {
  const state = left === null ? 'quiet' : isMissed || left === 0 ? 'lost' : left <= 2 ? 'near' : 'good';
  const words = left === null ? 'no reading yet' : isMissed ? 'missed' : `${plural(left, 'window')} left`;
  return element(
    'li',
    {},
    element(
      'a',
      {
        href: routeTo(service, month),
        'aria-current': isChosen ? 'page' : undefined,
        'aria-label': `${service}: ${words}`,
      },
      element('span', { class: 'name' }, service),
      element('span', { class: 'count', 'data-state': state }, isMissed ? 'missed' : (left ?? '–')),
    ),
  );
}

/** @param {Headline} a @param {Headline} b */
function worstFirst(a, b) {
  const rank = (/** @type {Headline} */ { left, isMissed }) =>
    isMissed ? -1 : (left ?? Number.POSITIVE_INFINITY);
  return rank(a) - rank(b) || a.service.localeCompare(b.service, 'en', { numeric: true });
}
