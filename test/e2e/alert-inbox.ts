import type { HttpPeer, PeerAnswer, PeerRequest } from '../support/http-peer.ts';
import type { Random } from '../support/random.ts';
import type { Told } from './alert-stage.ts';

/**
 * What a receiver got. `read` counts every notification that reached it, `accepted` those whose request it
 * answered with 2xx: a request may be read to its end and then fail.
 */
export class AlertInbox {
  readonly read = new Map<string, number>();
  readonly accepted = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly #namesIn: (body: string) => readonly string[];
  readonly #success: PeerAnswer;
  /** Share of requests that fail. */
  failing = 0;
  /** Called with the bearer token of every request that was read, before it is answered. */
  onRead: (token: string) => void = () => {};
  readonly #random: Random;

  constructor(namesIn: (body: string) => readonly string[], success: PeerAnswer, random: Random) {
    this.#namesIn = namesIn;
    this.#success = success;
    this.#random = random;
  }

  readonly answer: HttpPeer['answer'] = ({ body, headers }: PeerRequest) => {
    const names = this.#namesIn(body);
    for (const name of names) add(this.read, name);
    this.onRead(headers.authorization?.replace('Bearer ', '') ?? '');
    if (this.#random.next() < this.failing) {
      const [fault, answer] = this.#random.pick(FAULTS);
      add(this.faults, fault);
      return answer;
    }
    for (const name of names) add(this.accepted, name);
    return this.#success;
  };

  /** Notifications accepted more than once: as many as were one too many. */
  get duplicates(): number {
    return [...this.accepted.values()].reduce((sum, n) => sum + n - 1, 0);
  }
}

const FAULTS: readonly (readonly [string, PeerAnswer | 'hang' | 'reset'])[] = [
  ['500', { status: 500 }],
  ['503', { status: 503, headers: { 'retry-after': '1' } }],
  ['429', { status: 429, headers: { 'retry-after': '1' } }],
  ['hang', 'hang'],
  ['closed after reading', 'reset'],
];

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

export type End = 'firing' | 'resolved';

/** A webhook knows an episode by its labels and its start. */
export const WEBHOOK = {
  namesIn(body: string): string[] {
    const { alerts } = JSON.parse(body) as {
      alerts: { status: End; startsAt: string; labels: Record<string, string> }[];
    };
    return alerts.map(({ status, startsAt, labels }) =>
      [labels.service, labels.step, Date.parse(startsAt), status].join(' '),
    );
  },
  nameOf: ({ service, step, firedAtMs }: Told, end: End): string => [service, step, firedAtMs, end].join(' '),
  success: { status: 200 },
} as const;

/** PagerDuty knows it by its dedup key, and hears of both ends in one go when it missed the first. */
export const PAGER = {
  namesIn(body: string): string[] {
    const event = JSON.parse(body) as { dedup_key: string; event_action: 'trigger' | 'resolve' };
    return [`${event.dedup_key} ${event.event_action === 'trigger' ? 'firing' : 'resolved'}`];
  },
  nameOf: ({ key }: Told, end: End): string => `roomwatch:${key} ${end}`,
  success: { status: 202, body: '{"status":"success"}' },
} as const;
