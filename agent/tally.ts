import { type Cell, isCallback } from '../protocol/frame.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { CallbackMeasure } from '../sla/facts.ts';
import type { OutcomeLabels } from './labels.ts';

type Measured = Omit<Cell, 'n'>;
interface Counter {
  n: number;
}
type Leaf = Map<string, Counter>;

/** Labels whose last counter is remembered. */
const RECENT_MAX = 4_096;

/** Bytes a cell adds to a frame beyond its labels: names of the fields, punctuation, minute and count. */
const CELL_FRAME_BYTES = 140;

/** The same with labels, each as long as it may be and of the longest characters. */
const CELL_BYTES_MAX = 1_024;

/**
 * Folds outcomes into cells: service, minute, region, platform, result, cause and code -> count.
 *
 * Nested maps, because looking up seven short keys in turn is four times as fast as joining them into one.
 * The outer three rarely change from one outcome to the next, so the last way down is remembered. Callbacks have no
 * labels and lie beside, by service, minute and result.
 */
export class Tally {
  readonly #services = new Map<string, Map<number, Map<string, Map<string, Leaf>>>>();
  readonly #callbacks = new Map<string, Map<number, Map<CallbackMeasure, Counter>>>();
  /** The counters found last for labels that are one object each time. */
  readonly #recent = new Map<OutcomeLabels, { readonly minute: number; readonly counter: Counter }>();
  #lastService = '';
  #lastMinute = -1;
  #lastRegion = '';
  #lastPlatforms: Map<string, Leaf> | undefined;
  #cells = 0;
  #bytes = 0;
  #outcomes = 0;

  /** Cells that `take` gives, at most: a count that one cell cannot hold is split. */
  get cells(): number {
    return this.#cells + this.#splits;
  }

  /** An upper estimate of the cells' bytes in a frame. */
  get bytes(): number {
    return this.#bytes + this.#splits * CELL_BYTES_MAX;
  }

  get #splits(): number {
    return Math.floor(this.#outcomes / LIMITS.countPerCell);
  }

  /** Callbacks among them: whatever is accepted is to be delivered, or declared lost. */
  get outcomes(): number {
    return this.#outcomes;
  }

  /** @param cell `n` is a positive integer; its labels are within their limits */
  add(cell: Cell): void {
    if (isCallback(cell.result)) this.#count(this.#callbackLeaf(cell), cell.result, cell);
    else this.#count(this.#leaf(cell), outcomeKey(cell), cell);
  }

  /**
   * The same for outcomes, not callbacks, of which many have the very same labels object: it finds their cell.
   * @param n  a positive integer
   */
  addSeries(labels: OutcomeLabels, minute: number, n: number): void {
    const known = this.#recent.get(labels);
    if (known?.minute === minute) {
      known.counter.n += n;
      this.#outcomes += n;
      return;
    }
    const cell = { ...labels, minute, n };
    const counter = this.#count(this.#leaf(cell), outcomeKey(cell), cell);
    if (this.#recent.size >= RECENT_MAX) this.#recent.clear();
    this.#recent.set(labels, { minute, counter });
  }

  #count<K>(leaf: Map<K, Counter>, key: K, cell: Cell): Counter {
    let counter = leaf.get(key);
    if (counter) counter.n += cell.n;
    else {
      counter = { n: cell.n };
      leaf.set(key, counter);
      this.#cells += 1;
      this.#bytes += frameBytes(cell);
    }
    this.#outcomes += cell.n;
    return counter;
  }

  /** The cells, and empties the tally. */
  take(): Cell[] {
    const cells = this.list();
    this.#services.clear();
    this.#callbacks.clear();
    this.#recent.clear();
    this.#lastPlatforms = undefined;
    this.#cells = 0;
    this.#bytes = 0;
    this.#outcomes = 0;
    return cells;
  }

  list(): Cell[] {
    const cells: Cell[] = [];
    for (const [service, minutes] of this.#services) {
      for (const [minute, regions] of minutes) {
        for (const [region, platforms] of regions) {
          for (const [platform, leaf] of platforms) {
            for (const [key, counter] of leaf) {
              for (const n of parts(counter))
                cells.push({ service, minute, region, platform, ...readKey(key), n });
            }
          }
        }
      }
    }
    for (const [service, minutes] of this.#callbacks) {
      for (const [minute, leaf] of minutes) {
        for (const [result, counter] of leaf) {
          for (const n of parts(counter))
            cells.push({ service, minute, region: '', platform: '', result, cause: '', code: '', n });
        }
      }
    }
    return cells;
  }

  /** Those with outcomes: who only passes callbacks on does not watch a service. */
  services(): string[] {
    return [...this.#services.keys()];
  }

  #callbackLeaf({ service, minute }: Measured): Map<CallbackMeasure, Counter> {
    return child(child(this.#callbacks, service), minute);
  }

  #leaf({ service, minute, region, platform }: Measured): Leaf {
    let platforms = this.#lastPlatforms;
    if (
      platforms === undefined ||
      region !== this.#lastRegion ||
      minute !== this.#lastMinute ||
      service !== this.#lastService
    ) {
      platforms = child(child(child(this.#services, service), minute), region);
      this.#lastPlatforms = platforms;
      this.#lastService = service;
      this.#lastMinute = minute;
      this.#lastRegion = region;
    }
    return child(platforms, platform);
  }
}

function child<K, K2, V2>(map: Map<K, Map<K2, V2>>, key: K): Map<K2, V2> {
  let value = map.get(key);
  if (value === undefined) {
    value = new Map();
    map.set(key, value);
  }
  return value;
}

/** Result is implied by the cause: '' if and only if the outcome is ok. */
function outcomeKey({ cause, code }: Measured): string {
  return code === '' ? cause : `${cause}\u0000${code}`;
}

/** A count, in parts that a cell can hold. */
function* parts({ n }: Counter): Iterable<number> {
  for (let left = n; left > 0; left -= LIMITS.countPerCell) yield Math.min(left, LIMITS.countPerCell);
}

function readKey(key: string): Pick<Cell, 'result' | 'cause' | 'code'> {
  const end = key.indexOf('\u0000');
  const cause = (end === -1 ? key : key.slice(0, end)) as Cell['cause'];
  return { result: cause === '' ? 'ok' : 'failed', cause, code: end === -1 ? '' : key.slice(end + 1) };
}

function frameBytes({ service, region, platform, code }: Measured): number {
  const labels = JSON.stringify([region, platform, code]);
  return CELL_FRAME_BYTES + service.length + Buffer.byteLength(labels);
}
