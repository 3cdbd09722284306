import type { Reading } from '../../../sla/reading.ts';
import { type Caller, mayTouch } from '../access.ts';
import { refusal } from '../answer.ts';
import type { Route } from '../router.ts';

export const EVENT_BOUNDS = {
  /** Listeners at the same time; a page falls back to asking. */
  listeners: 100,
  /** A comment this often keeps proxies and the idle timeout from closing a quiet stream. */
  heartbeatMs: 15_000,
} as const;

/** One listener's stream. What it has not taken yet is kept once for each service, so a slow one holds little. */
class Listener implements AsyncIterator<string> {
  readonly caller: Caller;
  private readonly onEnd: (listener: Listener) => void;
  private readonly waiting = new Map<string, string>();
  private wake: () => void = () => {};
  private isGreeted = false;
  private isOver = false;

  constructor(caller: Caller, onEnd: (listener: Listener) => void) {
    this.caller = caller;
    this.onEnd = onEnd;
  }

  tell(service: string, month: string): void {
    this.waiting.set(service, month);
    this.wake();
  }

  end(): void {
    this.isOver = true;
    this.onEnd(this);
    this.wake();
  }

  async next(): Promise<IteratorResult<string>> {
    if (!this.isGreeted) {
      this.isGreeted = true;
      return { done: false, value: ': readings as they are made\n\n' };
    }
    if (this.waiting.size === 0 && !this.isOver) await this.somethingOrHeartbeat();
    if (this.isOver) return { done: true, value: undefined };
    const events = [...this.waiting].map(
      ([service, month]) => `event: reading\ndata: ${JSON.stringify({ service, month })}\n\n`,
    );
    this.waiting.clear();
    return { done: false, value: events.length === 0 ? ':\n\n' : events.join('') };
  }

  /** The connection is gone. */
  async return(): Promise<IteratorResult<string>> {
    this.end();
    return { done: true, value: undefined };
  }

  private somethingOrHeartbeat(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, EVENT_BOUNDS.heartbeatMs);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Tells whoever listens that a service has a new reading; what it says is asked for as usual. */
export class Events {
  private readonly listeners = new Set<Listener>();

  announce({ service, month }: Pick<Reading, 'service' | 'month'>): void {
    for (const listener of this.listeners) {
      if (mayTouch(listener.caller, service)) listener.tell(service, month);
    }
  }

  /** Ends every stream; listeners connect again, elsewhere or later. */
  close(): void {
    for (const listener of [...this.listeners]) listener.end();
  }

  routes(): Route[] {
    return [
      {
        method: 'GET',
        pattern: '/api/v1/events',
        need: 'read',
        run: ({ caller }) => {
          if (this.listeners.size >= EVENT_BOUNDS.listeners) {
            return refusal(
              'BUSY',
              `${EVENT_BOUNDS.listeners} others listen already; ask every few seconds instead`,
            );
          }
          return {
            status: 200,
            type: 'text/event-stream; charset=utf-8',
            // Nobody on the way may pack it or keep it back: an event is worth something while it is new.
            headers: { 'cache-control': 'no-store, no-transform', 'x-accel-buffering': 'no' },
            // Listening begins when the answer is written: a HEAD request never does.
            body: { [Symbol.asyncIterator]: () => this.listen(caller) },
          };
        },
      },
    ];
  }

  private listen(caller: Caller): Listener {
    const listener = new Listener(caller, (ended) => this.listeners.delete(ended));
    this.listeners.add(listener);
    return listener;
  }
}
