import { exclusionRecord, parseExclusion } from '../../../sla/exclusion.ts';
import { instantText } from '../../../sla/instant.ts';
import type { Terms } from '../../../sla/terms.ts';
import { isPlainText, quote } from '../../../sla/text.ts';
import { type ExclusionBook, type ExclusionEntry, overlapsOf } from '../../exclusions.ts';
import type { Log } from '../../log.ts';
import { mayTouch } from '../access.ts';
import { type Answer, json, refusal } from '../answer.ts';
import type { Route } from '../router.ts';

const REASON_CHARACTERS = 1_000;

export interface ExclusionsDeps {
  readonly book: ExclusionBook;
  readonly termsOf: (service: string) => Terms;
  readonly nowMs: () => number;
  readonly newId: () => string;
  readonly log: Log;
}

/** What people take out of the tallies; who did it, when, and who took it back is kept. */
export function exclusionRoutes({ book, termsOf, nowMs, newId, log }: ExclusionsDeps): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/api/v1/exclusions',
      need: 'read',
      run: ({ caller, query }) => {
        const service = query.get('service');
        const entries = book
          .entries()
          .filter(({ exclusion }) => mayTouch(caller, exclusion.service))
          .filter(({ exclusion }) => service === null || exclusion.service === service);
        const overlaps = overlapsOf(entries);
        return json({
          exclusions: entries.map((entry) => ({ ...record(entry), overlaps: overlaps.get(entry.id) ?? [] })),
        });
      },
    },
    {
      method: 'POST',
      pattern: '/api/v1/exclusions',
      need: 'write',
      run: async ({ caller, readJson }) => {
        const body = await readJson();
        if (!body.ok) return body.answer;
        const named = (body.value as { service?: unknown } | null)?.service;
        const parsed = parseExclusion(body.value, typeof named === 'string' ? termsOf(named) : undefined);
        if (!parsed.ok) {
          const message = parsed.faults.map((fault) => fault.message).join('; ');
          return refusal('FIELD_INVALID', message, { field: parsed.faults[0]?.field ?? '' });
        }
        const { exclusion } = parsed;
        if (!mayTouch(caller, exclusion.service)) return notCovered(caller.name, exclusion.service);
        const entry = await book.enter(exclusion, newId(), { by: caller.name, atMs: nowMs() });
        if (!entry) return refusal('TOO_MANY', 'the journal of exclusions is full; start a new store');
        log.info({ by: caller.name, exclusion: record(entry) }, 'an exclusion was entered');
        return { ...json(record(entry), 201), headers: { location: `/api/v1/exclusions/${entry.id}` } };
      },
    },
    {
      method: 'DELETE',
      pattern: '/api/v1/exclusions/:id',
      need: 'write',
      run: async ({ caller, params, query }) => {
        const id = params.id ?? '';
        const reason = query.get('reason') ?? '';
        if (!isPlainText(reason, REASON_CHARACTERS)) {
          const message = `reason must be one line of at most ${REASON_CHARACTERS} characters`;
          return refusal('FIELD_INVALID', message, { field: 'reason' });
        }
        const found = book.entries().find((entry) => entry.id === id);
        if (found && !mayTouch(caller, found.exclusion.service)) {
          return notCovered(caller.name, found.exclusion.service);
        }
        const outcome = await book.withdraw(id, reason, { by: caller.name, atMs: nowMs() });
        switch (outcome) {
          case 'withdrawn': {
            log.info({ by: caller.name, id, reason }, 'an exclusion was withdrawn');
            const entry = book.entries().find((one) => one.id === id);
            return entry ? json(record(entry)) : json({ id });
          }
          case 'already':
            return refusal('CONFLICT', 'the exclusion is withdrawn already; see GET /api/v1/exclusions');
          case 'from-file':
            return refusal('CONFLICT', 'the exclusion is from a file; delete it there and send SIGHUP');
          case 'unknown':
            return refusal('NOT_FOUND', `there is no exclusion ${quote(id)}; see GET /api/v1/exclusions`, {
              field: 'id',
            });
        }
      },
    },
  ];
}

function notCovered(token: string, service: string): Answer {
  const message = `the token ${token} does not cover ${service}; use one that does`;
  return refusal('FORBIDDEN', message, { field: 'service' });
}

function record({ id, exclusion, entered, withdrawn }: ExclusionEntry) {
  return {
    id,
    ...exclusionRecord(exclusion),
    source: entered ? 'api' : 'file',
    ...(entered && { enteredBy: entered.by, enteredAt: instantText(entered.atMs) }),
    ...(withdrawn && {
      withdrawnBy: withdrawn.by,
      withdrawnAt: instantText(withdrawn.atMs),
      withdrawnReason: withdrawn.reason,
    }),
  };
}
