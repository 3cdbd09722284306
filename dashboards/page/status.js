// How current the page is, and what went wrong.

import { ApiError } from './api.js';
import { byId, fill } from './element.js';
import { agoText } from './figures.js';

/** Older than this the numbers are called stale, whatever the reason; a failure calls them so at once. */
const STALE_MS = 45_000;

/** @param {{ askForToken: (isNeeded: boolean) => void }} needs */
export function statusOf({ askForToken }) {
  let refreshedAtMs = 0;
  let hasFailed = false;
  /** What a person asked for and did not get stays until they ask for something else. */
  let isOfPerson = false;

  /**
   * What to say of a failure; a missing token is asked for.
   * @param {unknown} error
   * @param {boolean} isAsked  whether a person waits for the outcome
   */
  function words(error, isAsked) {
    if (error instanceof ApiError && (error.status === 401 || error.status === 403)) askForToken(isAsked);
    return error instanceof Error ? error.message : String(error);
  }

  /** @param {string} text  '' for none */
  function show(text) {
    const trouble = byId('trouble');
    if (trouble.textContent !== text) fill(trouble, text);
    trouble.hidden = text === '';
  }

  function freshness() {
    if (refreshedAtMs === 0) return;
    const age = Date.now() - refreshedAtMs;
    byId('freshness').dataset.state = hasFailed || age > STALE_MS ? 'stale' : 'fresh';
    fill(byId('freshness'), `updated ${agoText(age)}`);
  }
  setInterval(freshness, 1_000);

  return {
    refreshed() {
      refreshedAtMs = Date.now();
      hasFailed = false;
      if (!isOfPerson) show('');
      freshness();
    },
    /** @param {unknown} error  of a refresh */
    failed(error) {
      hasFailed = true;
      isOfPerson = false;
      show(words(error, false));
      freshness();
    },
    /** @param {unknown} error  of what a person asked for */
    refused(error) {
      isOfPerson = true;
      show(words(error, true));
    },
    clear() {
      isOfPerson = false;
      show('');
    },
    /** For a refusal that is shown elsewhere. @param {unknown} error */
    words: (error) => words(error, true),
  };
}
