import type { Route } from './input.ts';
import type { Notifier } from './notify/notifier.ts';

/** Somebody who is told: what they want to hear, and the sender that reaches them. */
export interface Receiver {
  readonly name: string;
  readonly route: Route;
  readonly notifier: Notifier;
  /** Who is told instead when this one refuses; none = the refusal is only counted and logged. */
  readonly fallbacks: readonly string[];
  /** Outbound cap; what exceeds it waits. */
  readonly messagesPerMinute: number;
}
