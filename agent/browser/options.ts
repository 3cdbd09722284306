import type { Drop } from './outbox.ts';

/** Labels of an outcome. */
export interface Labels {
  /** May be left to the agent. */
  readonly service?: string;
  readonly region?: string;
  readonly app?: string;
}

/** The labels are those of every outcome that does not say otherwise. */
export interface BeaconOptions extends Labels {
  /** Where the agent takes outcomes: 'https://agent.example.com/v1/outcomes', or a path of the page's own origin. */
  readonly url: string;
  /** How long an outcome waits for company: 5,000 ms. */
  readonly intervalMs?: number;
  /** Outcomes of one report: 50. */
  readonly batchMax?: number;
  /** Outcomes that wait for the agent; beyond it new ones are dropped: 500. */
  readonly bufferMax?: number;
  /** Told of outcomes that will never be reported. */
  readonly onDrop?: (drop: Drop) => void;
}

export interface Settings {
  readonly address: URL;
  readonly intervalMs: number;
  readonly batchMax: number;
  readonly bufferMax: number;
}

const NUMBER_MAX = 1_000_000;

/**
 * @param base  the page's own address, against which a path is read
 * @throws RangeError BEACON_OPTION_INVALID with every fault
 */
export function readOptions(options: Partial<BeaconOptions>, base: string | undefined): Settings {
  const { url, intervalMs = 5_000, batchMax = 50, bufferMax = 500 } = options;
  const numbers = { intervalMs, batchMax, bufferMax };
  const faults = Object.entries(numbers)
    .filter(([, value]) => !(Number.isSafeInteger(value) && value > 0 && value <= NUMBER_MAX))
    .map(([name, value]) => `${name} is ${value}; write a whole number from 1 to 1,000,000`);
  const address = addressOf(url, base);
  if (!address) faults.push(`url is ${url}; write one such as https://agent.example.com/v1/outcomes`);
  if (faults.length) throw new RangeError(`BEACON_OPTION_INVALID: ${faults.join('. ')}`);
  return { address: address as URL, ...numbers };
}

function addressOf(url: string | undefined, base: string | undefined): URL | undefined {
  try {
    const address = new URL(url || '//', base);
    return /^https?:$/.test(address.protocol) ? address : undefined;
  } catch {
    return undefined;
  }
}
