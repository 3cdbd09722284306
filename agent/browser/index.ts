import { readError, readLiveKitError, readRtcError } from './failures.ts';
import { createKeepsake } from './keepsake.ts';
import { type BeaconOptions, type Labels, readOptions, type Settings } from './options.ts';
import { createOutbox, type Drop, type DropReason } from './outbox.ts';
import type { BrowserOutcome, Failure } from './outcome.ts';
import { quietly } from './quietly.ts';
import { createTransport } from './transport.ts';
import { type AnyFunction, type Ended, watched, watchMethod } from './watched.ts';

export type { BeaconOptions, Labels } from './options.ts';
export type { Drop, DropReason } from './outbox.ts';
export type { BrowserOutcome, Failure } from './outcome.ts';

export interface WatchOptions extends Labels {
  /** 'web-v5' and 'livekit' say how errors are read; of any other only whole `code` and `extraCode` are. */
  readonly platform?: string;
  /** Reads an error instead. */
  readonly read?: (error: unknown) => Failure;
}

/** The part of LiveKit's Room that is used. */
export interface LiveKitRoom {
  connect: AnyFunction;
  on(event: 'connectionStateChanged', listener: (state: string) => void): unknown;
  off(event: 'connectionStateChanged', listener: (state: string) => void): unknown;
}

export interface Beacon {
  /** Reports every `enterRoom` of a TRTC object (Web SDK v5). @returns ends it */
  watchTrtc(trtc: { enterRoom: AnyFunction }, labels?: Labels): () => void;
  /** Reports every `connect` of a LiveKit Room that asks its server. @returns ends it */
  watchLiveKit(room: LiveKitRoom, labels?: Labels): () => void;
  /** @returns the function, which reports each call: failed when it throws or its promise is rejected */
  watch<F extends AnyFunction>(fn: F, options?: WatchOptions): F;
  /** Reports an entry that the application has watched itself. */
  record(outcome: BrowserOutcome): void;
  /** Sends what waits, now. @returns whether the agent has all of it */
  flush(): Promise<boolean>;
  /** Lets all calls through unwatched and flushes once; what the agent does not take then is dropped. */
  close(): Promise<void>;
  /** Outcomes that wait for the agent. */
  readonly waiting: number;
  /** Outcomes that will never be reported, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>;
}

/** For options that are not valid: an outbox that is closed before it has anything asks for none. */
const OFF = {} as Settings;

/**
 * Reports the room entries of a page to an agent. Nothing here throws into the application: what goes wrong is told
 * to the window as an uncaught error would be (`reportError`). With options that are not valid every outcome is
 * dropped.
 */
export function createBeacon(options: BeaconOptions): Beacon {
  const given = options ?? {};
  const { service, region, app, onDrop } = given;
  const dropped = { 'buffer-full': 0, refused: 0, invalid: 0, closed: 0 };
  const drop = (lost: Drop) => {
    dropped[lost.reason] += lost.count;
    quietly(() => onDrop?.(lost));
  };
  const settings = quietly(() => readOptions(given, globalThis.location?.href)) ?? OFF;
  const transport = createTransport(settings.address);
  const keepsake = createKeepsake(`roomwatch:${settings.address} ${service}`);
  let isKept = false;
  const outbox = createOutbox({
    ...settings,
    transport,
    random: Math.random,
    onDrop: drop,
    // A tab that is discarded says nothing: what it finds there was not acknowledged.
    onAnswer: () => isKept && keepsake.save(outbox.waiting),
  });
  if (settings === OFF) void outbox.close();
  for (const { text, leftAt } of keepsake.take()) outbox.add(text, leftAt);

  const idPrefix = crypto.getRandomValues(new Uint32Array(4)).join('-');
  let ids = 0;
  const record = (outcome: BrowserOutcome) => {
    const text = quietly(() => {
      const { at = Date.now(), id = `${idPrefix}-${++ids}` } = outcome;
      return JSON.stringify({ service, region, app, ...outcome, at, id });
    });
    if (text) outbox.add(text);
    else drop({ reason: 'invalid', count: 1 });
  };

  let isClosed = false;
  const begin = (watch: WatchOptions): Ended | undefined => {
    if (isClosed) return undefined;
    const { platform = '', read = readerOf(platform), ...labels } = watch;
    const at = Date.now();
    const startedMs = performance.now();
    return (failed) => {
      const durationMs = Math.round(performance.now() - startedMs);
      const failure = failed && quietly(() => read(failed.thrown));
      record({ result: failed ? 'failed' : 'ok', at, durationMs, platform, ...labels, ...failure });
    };
  };

  // Weak: the application's rooms come and go, and need not be ended here.
  const ends = new WeakMap<object, () => void>();
  const watchOnce = <K extends string>(
    target: Record<K, AnyFunction>,
    name: K,
    beginCall: () => Ended | undefined,
  ): (() => void) => {
    // Watched twice, an entry would count twice.
    const end = ends.get(target) ?? quietly(() => watchMethod(target, name, beginCall));
    if (!end) return () => {};
    ends.set(target, end);
    return () => {
      // Called a second time, it is no other's that it ends.
      if (ends.get(target) === end) ends.delete(target);
      quietly(end);
    };
  };

  const leave = () => {
    outbox.leave();
    isKept = true;
    keepsake.save(outbox.waiting);
  };
  const listening = new AbortController();
  // Where pages are rendered on a server there is nothing to listen to.
  const listen = (target: EventTarget | undefined, name: string, listener: () => void) =>
    target?.addEventListener?.(name, listener, { signal: listening.signal });
  listen(globalThis, 'pagehide', leave);
  listen(globalThis, 'online', outbox.wake);
  listen(globalThis.document, 'visibilitychange', () => {
    if (document.visibilityState === 'hidden') leave();
  });

  return {
    watchTrtc: (trtc, labels) => watchOnce(trtc, 'enterRoom', () => begin({ platform: 'web-v5', ...labels })),
    watchLiveKit: (room, labels) => {
      let calls = 0;
      let requests = 0;
      // Each request begins so, and nothing else does. A call that finds the room connected, or a request under way,
      // makes none; whether it does is decided behind a lock, when what `disconnect` has to do is done.
      const hear = (state: string) => {
        if (state === 'connecting') requests++;
      };
      return watchOnce(room, 'connect', () => {
        const ended = begin({ platform: 'livekit', ...labels });
        // Not for longer than a call: applications remove all listeners now and then.
        if (!calls++) room.on('connectionStateChanged', hear);
        return (failed) => {
          if (!--calls) room.off('connectionStateChanged', hear);
          // Those that waited for one request end together, the one that made it first.
          if (requests && requests--) ended?.(failed);
        };
      });
    },
    watch: (fn, watchOptions) => quietly(() => watched(fn, () => begin({ ...watchOptions }))) ?? fn,
    record,
    flush: outbox.flush,
    close: async () => {
      isClosed = true;
      await outbox.close();
      listening.abort();
      keepsake.end();
    },
    get waiting() {
      return outbox.waiting.length;
    },
    dropped,
  };
}

function readerOf(platform: string): (error: unknown) => Failure {
  if (platform === 'web-v5') return readRtcError;
  return platform === 'livekit' ? readLiveKitError : readError;
}
