import type { Desk, DeskFault } from '../../../alerts/desk.ts';
import type { Silence } from '../../../alerts/input.ts';
import type { Standing } from '../../../alerts/standing.ts';
import { titleOf } from '../../../alerts/words.ts';
import { instantText } from '../../../sla/instant.ts';
import { quote } from '../../../sla/text.ts';
import { type Caller, mayTouch } from '../access.ts';
import { type Answer, json, refusal } from '../answer.ts';
import type { Route } from '../router.ts';

export interface AlertsDeps {
  readonly standings: () => readonly Standing[];
  readonly desk: () => Desk;
  /** What was decided of the services named should be seen soon. */
  readonly poke: (services: readonly string[]) => void;
  readonly services: () => readonly string[];
}

/** What fires, and what people decided about it: acknowledgements and silences. */
export function alertRoutes({ standings, desk, poke, services }: AlertsDeps): Route[] {
  return [
    {
      method: 'GET',
      pattern: '/api/v1/alerts',
      need: 'read',
      run: ({ caller }) => {
        const shown = standings().filter(({ alert }) => mayTouch(caller, alert.service));
        return json({ alerts: shown.map(alertRecord) });
      },
    },
    {
      method: 'POST',
      pattern: '/api/v1/alerts/:key/ack',
      need: 'write',
      run: async (request) => {
        const body = await request.readJson();
        if (!body.ok) return body.answer;
        const key = request.params.key ?? '';
        const found = standings().find(({ alert, state }) => alert.key === key && state !== 'resolved');
        if (found && !mayTouch(request.caller, found.alert.service)) {
          return notCovered(request.caller, found.alert.service);
        }
        const done = await desk().acknowledge(key, found !== undefined, body.value, request.caller.name);
        switch (done.status) {
          case 'invalid':
            return invalid(done);
          case 'unknown':
            return refusal('NOT_FOUND', `no alert ${quote(key)} fires; see GET /api/v1/alerts`, {
              field: 'key',
            });
          case 'recorded':
          case 'already':
            if (found) poke([found.alert.service]);
            return json({ key, acknowledgedBy: done.by });
        }
      },
    },
    {
      method: 'GET',
      pattern: '/api/v1/silences',
      need: 'read',
      run: async ({ caller }) => {
        const { silences } = await desk().inForce();
        return json({ silences: silences.filter((one) => covers(caller, one)).map(silenceRecord) });
      },
    },
    {
      method: 'POST',
      pattern: '/api/v1/silences',
      need: 'write',
      run: async (request) => {
        const body = await request.readJson();
        if (!body.ok) return body.answer;
        const { service = '*' } = (body.value ?? {}) as { service?: unknown };
        if (typeof service === 'string' && !mayTouch(request.caller, service)) {
          return notCovered(request.caller, service);
        }
        const done = await desk().silence(body.value, request.caller.name);
        if (done.status === 'invalid') return invalid(done);
        poke(done.silence.service === '*' ? services() : [done.silence.service]);
        return json(silenceRecord(done.silence), 201);
      },
    },
    {
      method: 'DELETE',
      pattern: '/api/v1/silences/:id',
      need: 'write',
      run: async ({ caller, params }) => {
        const id = params.id ?? '';
        const { silences } = await desk().inForce();
        const found = silences.find((one) => one.id === id);
        if (found && !covers(caller, found)) return notCovered(caller, found.service);
        const done = await desk().endSilence(id, caller.name);
        if (done.status === 'unknown') {
          const message = `no silence ${quote(id)} is in force; see GET /api/v1/silences`;
          return refusal('NOT_FOUND', message, { field: 'id' });
        }
        poke(found === undefined || found.service === '*' ? services() : [found.service]);
        return json({ id, endedBy: caller.name });
      },
    },
  ];
}

/** A silence over every service needs a token over every service. */
function covers(caller: Caller, { service }: Silence): boolean {
  return mayTouch(caller, service);
}

function notCovered(caller: Caller, service: string): Answer {
  const what = service === '*' ? 'every service' : service;
  return refusal('FORBIDDEN', `the token ${caller.name} does not cover ${what}; use one that does`, {
    field: 'service',
  });
}

function invalid({ field, message }: DeskFault): Answer {
  return refusal('FIELD_INVALID', `${field} ${message}`.trim(), { field });
}

function alertRecord({ alert, state, told }: Standing) {
  return {
    key: alert.key,
    service: alert.service,
    step: alert.step,
    severity: alert.severity,
    state,
    summary: titleOf(alert),
    since: instantText(alert.sinceMs),
    ...(alert.month !== '' && { month: alert.month }),
    ...(alert.line !== '' && { line: alert.line }),
    ...(alert.acknowledgedBy !== null && { acknowledgedBy: alert.acknowledgedBy }),
    ...(alert.resolvedAtMs !== null && { resolvedAt: instantText(alert.resolvedAtMs) }),
    told,
  };
}

function silenceRecord({ fromMs, untilMs, ...rest }: Silence) {
  return { ...rest, from: instantText(fromMs), until: instantText(untilMs) };
}
