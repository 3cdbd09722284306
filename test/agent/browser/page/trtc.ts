import type { EnterRoomConfig, RtcError, TRTC, TRTCEventTypes } from 'trtc-sdk-v5';

/** An error as the SDK makes it; the one inside a 5500 is of its core, with `code` and `extraCode` too. */
export interface ErrorFacts {
  readonly code: number;
  readonly extraCode?: number;
  readonly message?: string;
  readonly originError?: ErrorFacts;
}

/** The SDK names its errors after their codes. */
const NAMES: Readonly<Record<number, string>> = {
  5200: 'ENV_NOT_SUPPORTED',
  5400: 'SERVER_ERROR',
  5500: 'OPERATION_FAILED',
  5998: 'OPERATION_ABORT',
};

export class RtcErrorStandIn extends Error implements RtcError {
  override readonly name: string;
  readonly code: number;
  readonly extraCode?: number;
  readonly functionName = 'enterRoom';
  readonly handler = () => {};
  readonly originError?: RtcErrorStandIn;

  constructor({ code, extraCode, message, originError }: ErrorFacts) {
    super(message);
    this.code = code;
    this.name = NAMES[code] ?? 'RtcError';
    if (extraCode !== undefined) this.extraCode = extraCode;
    if (originError) this.originError = new RtcErrorStandIn(originError);
  }
}

type Handler<T extends keyof TRTCEventTypes> = (...args: TRTCEventTypes[T]) => void;

/**
 * The part of a TRTC object that has to do with entering: the promise resolves when the signalling answers, before
 * media connects, and what goes wrong afterwards is an `error` event.
 */
export class TrtcStandIn implements Pick<TRTC, 'enterRoom' | 'switchRoom'> {
  readonly entered: EnterRoomConfig[] = [];
  /** How the next entry ends; by default well. */
  next: ErrorFacts | undefined;
  /** How long an entry takes. */
  afterMs = 0;
  #params: EnterRoomConfig | undefined;
  readonly #handlers: Handler<'error' & keyof TRTCEventTypes>[] = [];

  async enterRoom(params: EnterRoomConfig): Promise<void> {
    this.#params = params;
    await new Promise((resolve) => setTimeout(resolve, this.afterMs));
    if (this.next) throw new RtcErrorStandIn(this.next);
    this.entered.push(params);
  }

  /** Where the server cannot switch, the SDK leaves and enters by its own public method. */
  async switchRoom(params: { roomId?: number }): Promise<void> {
    if (this.#params) await this.enterRoom({ ...this.#params, ...params });
  }

  on<T extends keyof TRTCEventTypes>(event: T, handler: Handler<T>): this {
    if (event === 'error') this.#handlers.push(handler as unknown as Handler<'error' & keyof TRTCEventTypes>);
    return this;
  }

  emitError(facts: ErrorFacts): void {
    for (const handler of this.#handlers) (handler as (error: RtcError) => void)(new RtcErrorStandIn(facts));
  }
}
