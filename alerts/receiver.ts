import type { Route } from './input.ts';
import type { Mirror, Notifier } from './notify/notifier.ts';

/** Somebody who is told: what they want to hear, and how they are reached. */
export type Receiver = MessageReceiver | MirrorReceiver;

/** Gets a message for each thing that is said. */
export interface MessageReceiver {
  readonly kind: 'message';
  readonly name: string;
  readonly route: Route;
  readonly notifier: Notifier;
  /** Who is told instead when this one refuses; none = the refusal is only counted and logged. */
  readonly fallbacks: readonly string[];
  /** Outbound cap; what exceeds it waits. */
  readonly messagesPerMinute: number;
}

/** Is shown over and over what fires, in every replica of it. */
export interface MirrorReceiver {
  readonly kind: 'mirror';
  readonly name: string;
  readonly route: Route;
  readonly replicas: readonly Mirror[];
}
