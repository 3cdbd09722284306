// Exclusions: what is in force, what was withdrawn, and the form that adds one. The daemon checks every field and
// answers with a sentence; the page only passes it on.

import { callJson } from './api.js';
import { instantOf, localTime, zoneWords } from './contract-time.js';
import { byId, byIdAs, element, faint, fill } from './element.js';
import { plural } from './figures.js';

/** @import { ContractMonth, ExclusionRecord, Withdraw } from './types.d.ts' */

/** Clauses with the contract's words, shortened; those with `notice` hold only with one given beforehand. */
const CLAUSES = [
  ['4.1', 'customer: failure or misuse'],
  ['4.2', 'customer: negligence'],
  ['4.3', 'customer: credentials'],
  ['4.4', 'attack on the customer'],
  ['4.5', 'documentation not followed'],
  ['4.6', 'traffic surge', 'notice'],
  ['4.7', 'trial feature'],
  ['4.8', 'illegal content'],
  ['4.9', 'announced event', 'notice'],
  ['4.10', 'announced maintenance', 'notice'],
  ['4.11', 'network or equipment of others'],
  ['4.12', 'force majeure'],
  ['4.13', 'not attributable to the provider'],
  ['4.14', 'other, not attributable to the provider'],
];

/**
 * @param {object} shown
 * @param {ContractMonth} shown.month
 * @param {readonly ExclusionRecord[]} shown.exclusions  of the service, those that touch the month
 * @param {Withdraw} shown.onWithdraw
 */
export function showExclusions({ month, exclusions, onWithdraw }) {
  fill(
    byId('exclusion-zone'),
    `Times are ${zoneWords(month)}; every minute that the interval touches is left out.`,
  );
  const box = byId('exclusions');
  if (exclusions.length === 0) {
    fill(box, element('p', { class: 'empty' }, 'None in this month.'));
    return;
  }
  fill(box, element('ul', { class: 'exclusions' }, ...exclusions.map((one) => row(month, one, onWithdraw))));
}

/** @param {ContractMonth} month @param {ExclusionRecord} one @param {Withdraw} onWithdraw */
function row(month, one, onWithdraw) {
  const span = `${localTime(month, one.from)} to ${localTime(month, one.to)}`;
  const notice = one.noticeAt === undefined ? '' : `, notice given ${localTime(month, one.noticeAt)}`;
  const entered = one.enteredBy === undefined ? 'from a file' : `entered with the token ${one.enteredBy}`;
  const words = faint(`Clause ${one.clause}: ${one.reason} (${one.author}${notice}; ${entered})`);
  if (one.withdrawnAt !== undefined) {
    const by = `Withdrawn ${localTime(month, one.withdrawnAt)} with the token ${one.withdrawnBy}: ${one.withdrawnReason || 'no reason given'}`;
    return element('li', {}, element('span', { class: 'withdrawn' }, span), words, faint(by));
  }
  const others = plural(one.overlaps.length, 'other');
  const shared = `Overlaps ${others}: the minutes they share stay out if this one alone is withdrawn.`;
  const overlap = one.overlaps.length === 0 ? null : faint(shared);
  // One from a file is deleted there; the daemon would refuse.
  const button = one.source === 'file' ? null : withdrawal(one.id, span, onWithdraw);
  return element('li', {}, span, words, overlap, button);
}

/**
 * Asks why first: the record says so for ever.
 * @param {string} id
 * @param {string} span
 * @param {Withdraw} onWithdraw
 */
function withdrawal(id, span, onWithdraw) {
  const reason = element('input', {
    maxlength: 1000,
    required: true,
    placeholder: 'Why?',
    'aria-label': `Why the exclusion of ${span} is withdrawn`,
  });
  const onsubmit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    onWithdraw(id, reason.value.trim());
  };
  return element(
    'details',
    { class: 'withdrawal' },
    element('summary', { class: 'link small' }, 'Withdraw'),
    element('form', { onsubmit }, reason, element('button', {}, 'Withdraw')),
  );
}

/**
 * @param {object} listeners
 * @param {() => { service: string, month: ContractMonth } | null} listeners.current
 * @param {() => void} listeners.onAdded
 * @param {(error: unknown) => string} listeners.explain  what to say of a refusal
 */
export function exclusionForm({ current, onAdded, explain }) {
  const form = byIdAs('exclusion-form', HTMLFormElement);
  const answer = byId('exclusion-answer');
  const notice = byId('notice');
  const clause = /** @type {HTMLSelectElement} */ (form.elements.namedItem('clause'));
  fill(
    clause,
    ...CLAUSES.map(([number = '', words = '']) => element('option', { value: number }, `${number} ${words}`)),
  );
  const needsNotice = () => CLAUSES.some(([number, , mark]) => number === clause.value && mark === 'notice');
  clause.addEventListener('change', () => {
    notice.hidden = !needsNotice();
  });

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const now = current();
    if (now === null) return;
    const field = (/** @type {string} */ name) => String(new FormData(form).get(name) ?? '').trim();
    const instant = (/** @type {string} */ name) =>
      instantOf(now.month, field(name), name === 'to' ? 'end' : 'beginning');
    const body = {
      service: now.service,
      from: instant('from'),
      to: instant('to'),
      clause: field('clause'),
      author: field('author'),
      reason: field('reason'),
      ...(needsNotice() ? { noticeAt: instant('noticeAt') } : {}),
    };
    try {
      await callJson('/api/v1/exclusions', { method: 'POST', body });
      fill(answer, 'Added; the month is computed anew.');
      answer.dataset.state = 'done';
      form.reset();
      notice.hidden = !needsNotice();
      onAdded();
    } catch (error) {
      fill(answer, explain(error));
      answer.dataset.state = 'refused';
    }
  });

  return {
    /** Opens the form with an interval filled in. @param {number} fromMs @param {number} toMs */
    open(fromMs, toMs) {
      const now = current();
      if (now === null) return;
      byIdAs('exclusion-fold', HTMLDetailsElement).open = true;
      const set = (/** @type {string} */ name, /** @type {number} */ atMs) => {
        const input = /** @type {HTMLInputElement} */ (form.elements.namedItem(name));
        input.value = localTime(now.month, atMs).replace(' ', 'T');
      };
      set('from', fromMs);
      set('to', toMs);
      fill(answer);
      form.scrollIntoView({ block: 'center' });
      clause.focus({ preventScroll: true });
    },
  };
}
