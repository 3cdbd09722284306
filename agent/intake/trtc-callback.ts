import type { IncomingMessage } from 'node:http';
import type { CallbackMeasure } from '../../sla/facts.ts';
import { quote } from '../../sla/text.ts';
import type { Clock } from '../clock.ts';
import type { ForbiddenServices } from '../forbidden-services.ts';
import type { Log } from '../log.ts';
import type { AgentMetrics } from '../metrics.ts';
import type { Spool } from '../spool/spool.ts';
import type { Bodies } from './body.ts';
import { CallbackSigner } from './callback-signer.ts';
import { bodyFailure, type Failure, refusals, writeFailure } from './failure.ts';
import { FaultLog } from './fault-log.ts';
import { nameOf } from './http-faults.ts';
import { readTrtcEvent } from './trtc-event.ts';

export const TRTC_CALLBACK_PATH = '/v1/trtc/callback';

const CALLBACK_BOUNDS = {
  /** The vendor's are below 2,000 bytes. */
  bodyBytes: 64 * 1024,
} as const;

/** Whose callbacks are taken. */
export interface CallbackApp {
  readonly sdkAppId: string;
  readonly service: string;
  /** Asked at the start, and again when a signature is wrong: a changed key is found without a restart. */
  readonly key: () => Promise<string>;
}

export interface TrtcCallbackOptions {
  readonly apps: readonly CallbackApp[];
  readonly spool: Spool;
  readonly forbidden: ForbiddenServices;
  readonly clock: Clock;
  readonly metrics: AgentMetrics;
  readonly log: Log;
}

/**
 * The receiver of the vendor's room callbacks. It counts entries and exits per service; a callback is answered 200
 * when it is on disk, so that what is not is sent again by the vendor, and what was sent again is counted once.
 */
export class TrtcCallbacks {
  readonly #options: TrtcCallbackOptions;
  readonly #apps: ReadonlyMap<string, KnownApp>;
  readonly #faults: FaultLog;

  private constructor(options: TrtcCallbackOptions, apps: readonly KnownApp[]) {
    this.#options = options;
    this.#apps = new Map(apps.map((app) => [app.sdkAppId, app]));
    this.#faults = new FaultLog(options.log, () => options.clock.monotonicMs(), 'request');
  }

  /** @throws with a sentence when a key cannot be had */
  static async open(options: TrtcCallbackOptions): Promise<TrtcCallbacks> {
    const known = options.apps.map(async ({ sdkAppId, service, key }) => {
      return { sdkAppId, service, signer: new CallbackSigner(await key(), key, options.clock) };
    });
    return new TrtcCallbacks(options, await Promise.all(known));
  }

  /** @returns why it was refused; undefined when it is on disk, was before, or says nothing that is counted */
  async take(request: IncomingMessage, bodies: Bodies): Promise<Failure | undefined> {
    const taken = await this.#take(request, bodies);
    const isTaken = typeof taken === 'string';
    this.#options.metrics.count('trtcCallbacks', 1, isTaken ? taken : taken.code);
    if (isTaken) return undefined;
    const { code, field = '', message } = taken;
    this.#faults.report({ code, field, message }, nameOf(request));
    return taken;
  }

  close(): void {
    this.#faults.close();
  }

  async #take(request: IncomingMessage, bodies: Bodies): Promise<Taken | Failure> {
    const { spool, forbidden } = this.#options;
    const sdkAppId = headerOf(request, 'sdkappid');
    const app = this.#apps.get(sdkAppId);
    if (!app) return unknownApp(sdkAppId);
    const sign = headerOf(request, 'sign');
    if (sign === '') return UNSIGNED;
    const body = await bodies.receive(request, CALLBACK_BOUNDS.bodyBytes);
    if (typeof body === 'string') return bodyFailure(body, '64 KiB');
    if (!(await app.signer.hasSigned(body, sign))) return WRONG_SIGN;
    const event = readTrtcEvent(body.toString('utf8'), sdkAppId);
    if (event.kind === 'ignored') return 'ignored';
    if (event.kind === 'fault') return { status: 400, ...event };
    const refusal = spool.refusal();
    if (refusal) return refusals[refusal];
    if (forbidden.has(app.service)) return serviceForbidden(app.service);
    const acceptance = spool.acceptCallback({ service: app.service, ...event });
    if (acceptance === 'too-many-services') return tooManyServices(app.service);
    try {
      await spool.commit();
    } catch (error) {
      return writeFailure(error as Error);
    }
    return acceptance === 'repeated' ? 'repeated' : event.measure;
  }
}

type Taken = CallbackMeasure | 'repeated' | 'ignored';

const UNSIGNED: Failure = {
  status: 401,
  code: 'CALLBACK_SIGN_MISSING',
  field: 'Sign',
  message: "the callback has no Sign header; set a callback key in the vendor's console",
};
const WRONG_SIGN: Failure = {
  status: 401,
  code: 'CALLBACK_SIGN_WRONG',
  field: 'Sign',
  message:
    "Sign does not fit the body under this application's key; give the agent the key of the vendor's console, and let no proxy change the body",
};

function unknownApp(sdkAppId: string): Failure {
  const message =
    sdkAppId === ''
      ? 'the callback has no SdkAppId header; let no proxy take it away'
      : `no service is configured for SdkAppId ${quote(sdkAppId)}; add it to trtcCallbacks`;
  return { status: 403, code: 'CALLBACK_APP_UNKNOWN', field: 'SdkAppId', message };
}

function tooManyServices(service: string): Failure {
  const message = `service ${service}: the agent has all the services it can report for; use another agent`;
  return { status: 503, code: 'CALLBACK_TOO_MANY_SERVICES', field: '', message, retryAfterSeconds: 60 };
}

/** For a while: the vendor sends it again, and the token may be corrected meanwhile. */
function serviceForbidden(service: string): Failure {
  const message = `service ${service}: the agent's token does not cover it; correct it in trtcCallbacks, or add it to the token in the daemon's configuration`;
  return { status: 503, code: 'CALLBACK_SERVICE_FORBIDDEN', field: '', message, retryAfterSeconds: 60 };
}

interface KnownApp {
  readonly sdkAppId: string;
  readonly service: string;
  readonly signer: CallbackSigner;
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value.trim() : '';
}
