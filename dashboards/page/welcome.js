// The page before there is anything to show: what to do next.

import { monthName } from './contract-time.js';
import { byId, element, faint, fill } from './element.js';
import { routeTo } from './route.js';

export function showWelcome() {
  const welcome = instead('roomwatch');
  const socket = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`;
  fill(
    welcome,
    element('h1', {}, 'No service yet'),
    element(
      'p',
      {},
      'The daemon is ready, and no agent has connected to it. An agent runs where users enter rooms, and a service appears here with its first batch, within seconds.',
    ),
    element('p', {}, 'Connect one:'),
    element(
      'pre',
      {},
      `roomwatch-agent --server ${socket} --service my-service \\\n  --listen 127.0.0.1:9471`,
    ),
    element('p', {}, 'Then report room entries to it, one JSON object each:'),
    element(
      'pre',
      {},
      `curl http://127.0.0.1:9471/v1/outcomes -H 'content-type: application/json' \\\n  -d '{"result":"ok","platform":"web-v5","region":"ap-guangzhou"}'`,
    ),
    faint('To see a month with an incident at once: roomwatch-agent simulate --help'),
  );
}

/** @param {string} service @param {string} month @param {string} reason  the daemon's sentence */
export function showNothing(service, month, reason) {
  const title = `Nothing to show of ${service} in ${monthName(month)}`;
  fill(
    instead(title),
    element('h1', {}, title),
    element('p', {}, reason),
    element('p', {}, element('a', { href: routeTo(service, null) }, 'To the current month')),
  );
}

/** The place of the month, cleared for something else. @param {string} title */
function instead(title) {
  document.title = title;
  byId('service').hidden = true;
  const welcome = byId('welcome');
  welcome.hidden = false;
  return welcome;
}
