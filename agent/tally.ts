import type { Cell } from '../protocol/frame.ts';
import { LIMITS } from '../protocol/limits.ts';

type Measured = Omit<Cell, 'n'>;
interface Counter {
  n: number;
}
type Leaf = Map<string, Counter>;

/** Bytes a cell adds to a frame beyond its labels: names of the fields, punctuation, minute and count. */
const CELL_FRAME_BYTES = 140;

/**
 * Folds outcomes into cells: service, minute, region, platform, result, cause and code -> count.
 *
 * Nested maps, because looking up seven short keys in turn is four times as fast as joining them into one.
 * The outer three rarely change from one outcome to the next, so the last way down is remembered.
 */
export class Tally {
  readonly #services = new Map<string, Map<number, Map<string, Map<string, Leaf>>>>();
  #lastService = '';
  #lastMinute = -1;
  #lastRegion = '';
  #lastPlatforms: Map<string, Leaf> | undefined;
  #cells = 0;
  #bytes = 0;
  #outcomes = 0;

  /** Distinct cells. */
  get cells(): number {
    return this.#cells;
  }

  /** An upper estimate of the cells' bytes in a frame, but for those whose count must be split. */
  get bytes(): number {
    return this.#bytes;
  }

  get outcomes(): number {
    return this.#outcomes;
  }

  /** @param cell `n` is a positive integer; its labels are within their limits */
  add(cell: Cell): void {
    const leaf = this.#leaf(cell);
    // Result is implied by the cause: '' if and only if the outcome is ok.
    const key = cell.code === '' ? cell.cause : `${cell.cause}\u0000${cell.code}`;
    const counter = leaf.get(key);
    if (counter) counter.n += cell.n;
    else {
      leaf.set(key, { n: cell.n });
      this.#cells += 1;
      this.#bytes += frameBytes(cell);
    }
    this.#outcomes += cell.n;
  }

  /** The cells, and empties the tally. */
  take(): Cell[] {
    const cells = this.list();
    this.#services.clear();
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
              for (let left = counter.n; left > 0; left -= LIMITS.countPerCell) {
                const n = Math.min(left, LIMITS.countPerCell);
                cells.push({ service, minute, region, platform, ...readKey(key), n });
              }
            }
          }
        }
      }
    }
    return cells;
  }

  services(): string[] {
    return [...this.#services.keys()];
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

function readKey(key: string): Pick<Cell, 'result' | 'cause' | 'code'> {
  const end = key.indexOf('\u0000');
  const cause = (end === -1 ? key : key.slice(0, end)) as Cell['cause'];
  return { result: cause === '' ? 'ok' : 'failed', cause, code: end === -1 ? '' : key.slice(end + 1) };
}

function frameBytes({ service, region, platform, code }: Measured): number {
  const labels = JSON.stringify([region, platform, code]);
  return CELL_FRAME_BYTES + service.length + Buffer.byteLength(labels);
}
