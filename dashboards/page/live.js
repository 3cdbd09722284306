// What keeps the page current: the daemon's events, and where they cannot be had a question every few seconds.

const POLL_MS = 5_000;
/** Readings come with every batch; a person reads at most this fast. */
const SETTLE_MS = 1_000;
/** Even with events, ask now and then: a proxy can hold a stream open and empty. */
const DOUBT_MS = 30_000;
/** After a refusal. */
const REFUSED_MS = 60_000;

/**
 * @param {object} listeners
 * @param {() => Promise<void>} listeners.refresh  never rejects
 * @param {(service: string, month: string) => boolean} listeners.concerns  whether it is the one on the page
 * @returns {{ now: () => void }}
 */
export function live({ refresh, concerns }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let next;
  let dueAtMs = Number.POSITIVE_INFINITY;
  let isBusy = false;
  /** How soon after the refresh under way another one was asked for. */
  let againInMs = Number.POSITIVE_INFINITY;
  let hasEvents = false;

  /**
   * Sooner wins: a stream of events must not put the next refresh off for ever.
   * @param {number} ms
   */
  function within(ms) {
    if (isBusy) againInMs = Math.min(againInMs, ms);
    else if (Date.now() + ms < dueAtMs) {
      clearTimeout(next);
      dueAtMs = Date.now() + ms;
      next = setTimeout(run, ms);
    }
  }

  async function run() {
    isBusy = true;
    againInMs = Number.POSITIVE_INFINITY;
    await refresh();
    isBusy = false;
    dueAtMs = Number.POSITIVE_INFINITY;
    within(Math.min(againInMs, hasEvents ? DOUBT_MS : POLL_MS));
  }

  function listen() {
    const events = new EventSource('/api/v1/events');
    events.addEventListener('open', () => {
      hasEvents = true;
    });
    events.addEventListener('error', () => {
      // The browser tries again by itself, unless it was refused: too many listen already, a proxy is in trouble,
      // or a token is wanted, which an EventSource cannot send. Until the stream is open the page asks.
      hasEvents = false;
      within(POLL_MS);
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, REFUSED_MS);
    });
    events.addEventListener('reading', (event) => {
      const { service, month } = JSON.parse(event.data);
      // Of another service only a number in the list changes; that can wait.
      within(concerns(service, month) ? SETTLE_MS : POLL_MS);
    });
  }

  const now = () => within(0);
  document.addEventListener('visibilitychange', now);
  addEventListener('online', now);
  addEventListener('offline', now);
  listen();
  return { now };
}
