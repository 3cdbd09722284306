/** Why a store could not be opened or refused a call that will never succeed as it stands. */
export type StoreFaultCode =
  /** Another daemon owns the data directory. */
  | 'STORE_IN_USE'
  /** There is no store where one was to be read. */
  | 'STORE_MISSING'
  /** The store was opened for reading only. */
  | 'STORE_READ_ONLY'
  /** The address is not one of the documented forms. */
  | 'STORE_URL_INVALID'
  /** The server cannot keep what the configuration promises. */
  | 'STORE_UNSUITABLE'
  /** What is stored is not what this program writes. */
  | 'STORE_DAMAGED'
  /** A service's outbox has reached its bound. */
  | 'STORE_OUTBOX_FULL';

export class StoreFault extends Error {
  readonly code: StoreFaultCode;
  constructor(code: StoreFaultCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreFault';
    this.code = code;
  }
}
