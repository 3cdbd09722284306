// Wires the page: what is asked for when, and what is shown where.

import { showAlerts } from './alerts.js';
import { ApiError, callJson } from './api.js';
import { calendar } from './calendar.js';
import { monthAfter, monthName, placeOf, startMsOf, zoneLabel } from './contract-time.js';
import { showDayTable } from './day-table.js';
import { byId, byIdAs, fill } from './element.js';
import { showEvidence } from './evidence.js';
import { exclusionForm, showExclusions } from './exclusions.js';
import { fetchExplanation, showExplanation } from './explanation.js';
import { agoText } from './figures.js';
import { announcement, showHeadline, titleOf } from './headline.js';
import { hideHint, hintText, showHint } from './hint.js';
import { showIncidents } from './incident-list.js';
import { incidents } from './incidents.js';
import { showLegend } from './legend.js';
import { live } from './live.js';
import { fetchCells, fetchHead, isSameMonth } from './month-view.js';
import { showOutlook } from './outlook.js';
import { readRoute, routeTo } from './route.js';
import { fetchHeadlines, showServices } from './services.js';
import { tokenDialog } from './token-dialog.js';
import { showNothing, showWelcome } from './welcome.js';

/** @import { MonthView, Headline } from './types.d.ts' */

/** Older than this the numbers are called stale, whatever the reason; a failure calls them so at once. */
const STALE_MS = 45_000;

let route = readRoute(location.hash);
/** @type {readonly Headline[]} */
let headlines = [];
/** @type {MonthView | null} */
let view = null;
let refreshedAtMs = 0;
let hasFailed = false;
let announced = '';
/** What each part of the page shows, so that an unchanged one keeps its focus and its selection. */
/** @type {Map<string, string>} */
const drawn = new Map();

const picture = calendar({ onPoint: point, onChoose: (place) => void explain(place) });
const form = exclusionForm({
  current: () => view && { service: view.reading.service, month: view.month },
  onAdded: () => updates.now(),
  explain: complain,
});
const askForToken = tokenDialog(() => updates.now());
const updates = live({
  refresh,
  concerns: (service, month) => view?.reading.service === service && view.reading.month === month,
});

addEventListener('hashchange', () => {
  route = readRoute(location.hash);
  updates.now();
});
setInterval(showFreshness, 1_000);
updates.now();

async function refresh() {
  try {
    headlines = await fetchHeadlines();
    const service = route.service ?? headlines[0]?.service ?? null;
    if (service === null) {
      view = null;
      showWelcome();
    } else {
      const current = headlines.find((headline) => headline.service === service)?.month;
      const month = route.month ?? current ?? new Date().toISOString().slice(0, 7);
      await showMonth(service, month, current ?? month);
    }
    showServices(headlines, service, route.month);
    refreshedAtMs = Date.now();
    hasFailed = false;
    byId('trouble').hidden = true;
  } catch (error) {
    hasFailed = true;
    showTrouble(error, false);
  }
  showFreshness();
}

/** @param {string} service @param {string} month @param {string} currentMonth */
async function showMonth(service, month, currentMonth) {
  try {
    const head = await fetchHead(service, month);
    const isSame = view !== null && isSameMonth(view.reading, head.reading);
    const known = isSame && view !== null ? view : { cells: [], cellsAt: null };
    view = { cells: known.cells, cellsAt: known.cellsAt, ...head };
    // The numbers first: the windows are a hundred times larger.
    show(view, currentMonth);
    view = await fetchCells(view);
    show(view, currentMonth);
  } catch (error) {
    // A month outside the service period, or a service that never was: an answer, not a failure.
    if (!(error instanceof ApiError && [400, 404, 422].includes(error.status))) throw error;
    view = null;
    showNothing(service, month, error.message);
  }
}

/** @param {MonthView} shown @param {string} currentMonth */
function show({ reading, month, cells, cellsAt, exclusions, alerts }, currentMonth) {
  byId('grid').setAttribute('aria-busy', String(cellsAt === null));
  byId('welcome').hidden = true;
  byId('service').hidden = false;
  document.title = titleOf(reading);
  fill(byId('service-name'), reading.service);
  fill(byId('month-name'), monthName(reading.month));
  byIdAs('month-before', HTMLAnchorElement).href = routeTo(reading.service, monthAfter(reading.month, -1));
  const after = byIdAs('month-after', HTMLAnchorElement);
  if (reading.month < currentMonth) after.href = routeTo(reading.service, monthAfter(reading.month, 1));
  else after.removeAttribute('href');

  redraw('headline', reading, () => showHeadline(reading));
  redraw('outlook', [reading.projection, reading.budget, reading.lines], () => showOutlook(reading));
  redraw('picture', [month, cells], () => {
    fill(byId('grid-zone'), `${zoneLabel(month)}, a row a day`);
    picture.show(month, cells);
    showLegend(picture.colours());
    showDayTable(month, cells);
  });
  const lost = cells.flatMap((cell) => (cell?.verdict === 'down' ? [cell] : []));
  redraw('incidents', [month, lost], () =>
    showIncidents({
      month,
      incidents: incidents(lost),
      onChoose: (place) => void explain(place),
      onExclude: ({ place, windows }) =>
        form.open(startMsOf(month, place), startMsOf(month, place + windows)),
    }),
  );
  redraw('alerts', alerts, () => showAlerts({ month, alerts, onAcknowledge: acknowledge }));
  redraw('exclusions', exclusions, () => showExclusions({ month, exclusions, onWithdraw: withdraw }));
  redraw('evidence', [reading.service, reading.month, reading.claim], () =>
    showEvidence(reading, showTrouble),
  );
  announce(announcement(reading));
  if (route.at !== null) {
    const place = placeOf(month, route.at);
    route = { ...route, at: null };
    if (place !== null) void explain(place);
  }
}

/** @param {string} part @param {unknown} value @param {() => void} draw */
function redraw(part, value, draw) {
  const key = JSON.stringify([view?.reading.service, value]);
  if (drawn.get(part) === key) return;
  drawn.set(part, key);
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
  const { reading, month } = view;
  try {
    showExplanation(month, place, await fetchExplanation(reading.service, month, place));
    byId('explain').scrollIntoView({ block: 'nearest' });
  } catch (error) {
    showTrouble(error);
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
    updates.now();
  } catch (error) {
    showTrouble(error);
  }
}

/**
 * What to say of a failure; a missing token is asked for.
 * @param {unknown} error
 * @param {boolean} [isAsked]  whether a person waits for the outcome
 */
function complain(error, isAsked = true) {
  if (error instanceof ApiError && (error.status === 401 || error.status === 403)) askForToken(isAsked);
  return error instanceof Error ? error.message : String(error);
}

/** @param {unknown} error @param {boolean} [isAsked] */
function showTrouble(error, isAsked) {
  const trouble = byId('trouble');
  const text = complain(error, isAsked);
  if (trouble.hidden || trouble.textContent !== text) fill(trouble, text);
  trouble.hidden = false;
}

function showFreshness() {
  const freshness = byId('freshness');
  if (refreshedAtMs === 0) return;
  const age = Date.now() - refreshedAtMs;
  freshness.dataset.state = hasFailed || age > STALE_MS ? 'stale' : 'fresh';
  fill(freshness, `updated ${agoText(age)}`);
}

/** @param {string} text */
function announce(text) {
  if (text === announced) return;
  announced = text;
  fill(byId('announcer'), text);
}
