// The page before there is anything to show: what to do next.

import { byId, element, fill } from './element.js';

export function showWelcome() {
  document.title = 'roomwatch';
  byId('service', HTMLDivElement).hidden = true;
  const welcome = byId('welcome', HTMLElement);
  welcome.hidden = false;
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
    element('pre', {}, `roomwatch-agent --server ${socket} --service my-service --listen 127.0.0.1:9471`),
    element('p', {}, 'Then report room entries to it, one JSON object each:'),
    element(
      'pre',
      {},
      `curl -H 'content-type: application/json' http://127.0.0.1:9471/v1/outcomes \\\n  -d '{"result":"ok","platform":"web-v5","region":"ap-guangzhou"}'`,
    ),
    element(
      'p',
      { class: 'faint' },
      'To see a month with an incident at once: roomwatch-agent simulate --help',
    ),
  );
}
