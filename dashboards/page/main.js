// Wires the page: what is asked for when, and what is shown where.

import { showAlerts } from './alerts.js';
import { ApiError, callJson } from './api.js';
import { calendar } from './calendar.js';
import { showCallbacks } from './callbacks.js';
import { endMsOf, monthAfter, monthName, placeOf, startMsOf, zoneWords } from './contract-time.js';
import { showDayTable } from './day-table.js';
import { byId, byIdAs, fill } from './element.js';
import { showEvidence } from './evidence.js';
import { exclusionForm, showExclusions } from './exclusions.js';
import { fetchExplanation, showExplanation } from './explanation.js';
import { announcement, showHeadline, titleOf } from './headline.js';
import { hideHint, hintText, showHint } from './hint.js';
import { showIncidents } from './incident-list.js';
import { incidents } from './incidents.js';
import { showLegend } from './legend.js';
import { live } from './live.js';
import { fetchMonth, isSameMonth } from './month-view.js';
import { showOutlook } from './outlook.js';
import { readRoute, routeTo } from './route.js';
import { fetchHeadlines, showServices } from './services.js';
import { statusOf } from './status.js';
import { tokenDialog } from './token-dialog.js';
import { showNothing, showWelcome } from './welcome.js';

/** @import { MonthView, Headline } from './types.d.ts' */

let route = readRoute(location.hash);
/** @type {readonly Headline[]} */
let headlines = [];
/** @type {MonthView | null} */
let view = null;
let announced = '';
/** The window that was last asked about: a slow answer on another one comes too late. */
let asked = -1;
/**
 * What each part of the page shows, so that an unchanged one keeps its focus and its selection.
 * @type {Map<string, readonly unknown[]>}
 */
const drawn = new Map();

const picture = calendar({ onPoint: point, onChoose: (place) => void explain(place) });
const form = exclusionForm({
  current: () => view && { service: view.reading.service, month: view.month },
  onAdded: () => updates.now(),
  explain: (error) => status.words(error),
});
const status = statusOf({ askForToken: tokenDialog(() => updates.now()) });
const updates = live({
  refresh,
  concerns: (service, month) => view?.reading.service === service && view.reading.month === month,
});

addEventListener('hashchange', () => {
  route = readRoute(location.hash);
  if (route.service === null) view = null;
  status.clear();
  updates.now();
});
updates.now();

async function refresh() {
  try {
    headlines = await fetchHeadlines();
    // Without one in the address the worst is shown, and stays when another one becomes the worst.
    const service = route.service ?? view?.reading.service ?? headlines[0]?.service ?? null;
    if (service === null) {
      view = null;
      showWelcome();
    } else {
      const current = headlines.find((headline) => headline.service === service)?.month;
      const month = route.month ?? current ?? new Date().toISOString().slice(0, 7);
      await showMonth(service, month, current ?? month);
    }
    showServices(headlines, service, route.month);
    status.refreshed();
  } catch (error) {
    status.failed(error);
  }
}

/** @param {string} service @param {string} month @param {string} currentMonth */
async function showMonth(service, month, currentMonth) {
  try {
    const fetched = await fetchMonth(service, month, view);
    if (view === null || !isSameMonth(view.reading, fetched.reading)) byId('explain').hidden = true;
    view = fetched;
    show(view, currentMonth);
  } catch (error) {
    // A month outside the service period, or a service that never was: an answer, not a failure.
    if (!(error instanceof ApiError && [400, 404, 422].includes(error.status))) throw error;
    view = null;
    showNothing(service, month, error.message);
  }
}

/** @param {MonthView} shown @param {string} currentMonth */
function show({ reading, month, cells, exclusions, alerts }, currentMonth) {
  byId('grid').setAttribute('aria-busy', 'false');
  byId('welcome').hidden = true;
  byId('service').hidden = false;
  document.title = titleOf(reading);
  fill(byId('service-name'), reading.service);
  fill(byId('month-name'), monthName(reading.month));
  byIdAs('month-before', HTMLAnchorElement).href = routeTo(reading.service, monthAfter(reading.month, -1));
  const after = byIdAs('month-after', HTMLAnchorElement);
  if (reading.month < currentMonth) after.href = routeTo(reading.service, monthAfter(reading.month, 1));
  else after.removeAttribute('href');

  const of = `${reading.service} ${reading.month} ${reading.period.start}`;
  const numbers = JSON.stringify(reading);
  redraw('headline', [numbers], () => showHeadline(reading, month));
  redraw('outlook', [numbers], () => showOutlook(reading));
  redraw('picture', [of, cells], () => {
    fill(byId('grid-zone'), `${zoneWords(month)}; a row a day`);
    picture.show(month, cells);
    showLegend(picture.colours(), month.absent.size > 0);
    showDayTable(month, cells);
    const lost = cells.flatMap((cell) => (cell?.verdict === 'down' ? [cell] : []));
    showIncidents({
      month,
      incidents: incidents(lost),
      onChoose: (place) => void explain(place),
      onExclude: ({ place, windows }) =>
        form.open(startMsOf(month, place) ?? 0, endMsOf(month, place + windows - 1) ?? 0),
    });
  });
  redraw('callbacks', [of, JSON.stringify(reading.callbacks)], () =>
    showCallbacks({
      month,
      callbacks: reading.callbacks,
      onExclude: ({ from, to }) => form.open(Date.parse(from), Date.parse(to)),
    }),
  );
  redraw('alerts', [of, JSON.stringify(alerts)], () =>
    showAlerts({ month, alerts, onAcknowledge: acknowledge }),
  );
  redraw('exclusions', [of, JSON.stringify(exclusions)], () =>
    showExclusions({ month, exclusions, onWithdraw: withdraw }),
  );
  redraw('evidence', [of], () => showEvidence(reading, status.refused));
  announce(announcement(reading));
  if (route.at !== null) {
    const place = placeOf(month, route.at);
    route = { ...route, at: null };
    if (place !== null) void explain(place);
  }
}

/**
 * @param {string} part
 * @param {readonly unknown[]} of  what it shows, compared one by one
 * @param {() => void} draw
 */
function redraw(part, of, draw) {
  const before = drawn.get(part);
  if (before !== undefined && of.every((value, i) => value === before[i])) return;
  drawn.set(part, of);
  draw();
}

/** @param {number | null} place */
function point(place) {
  if (place === null || view === null) {
    hideHint();
    return;
  }
  const cell = view.cells[place];
  showHint(view.month, place, cell, picture.positionOf(place));
  byId('grid').setAttribute('aria-valuetext', hintText(view.month, place, cell).join('. '));
}

/** @param {number} place */
async function explain(place) {
  if (view === null) return;
  picture.moveTo(place);
  // There is nothing to ask about a window without a minute; the hint says so.
  if (view.month.absent.has(place)) return;
  asked = place;
  const { reading, month } = view;
  try {
    const explanation = await fetchExplanation(reading.service, month, place);
    if (asked !== place || view === null || !isSameMonth(view.reading, reading)) return;
    showExplanation(month, place, explanation);
    byId('explain').scrollIntoView({ block: 'nearest' });
  } catch (error) {
    status.refused(error);
  }
}

/** @param {string} id @param {string} reason */
async function withdraw(id, reason) {
  const path = `/api/v1/exclusions/${encodeURIComponent(id)}?reason=${encodeURIComponent(reason)}`;
  await change(() => callJson(path, { method: 'DELETE' }));
}

/** @param {string} key */
async function acknowledge(key) {
  await change(() => callJson(`/api/v1/alerts/${encodeURIComponent(key)}/ack`, { method: 'POST', body: {} }));
}

/** @param {() => Promise<unknown>} action */
async function change(action) {
  try {
    await action();
    status.clear();
    updates.now();
  } catch (error) {
    status.refused(error);
  }
}

/** @param {string} text */
function announce(text) {
  if (text === announced) return;
  announced = text;
  fill(byId('announcer'), text);
}
