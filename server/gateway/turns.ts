/** Something whose frames wait to be decoded. */
export interface TurnTaker {
  /** True while it stands in line. */
  isInLine: boolean;
  /** Decodes one frame; @returns its bytes */
  takeTurn(): number;
  /** False when nothing waits, or what waits may not be decoded yet. */
  hasWork(): boolean;
}

/** Bytes decoded between two looks at the clock; some 0.1 ms. */
const CLOCK_BYTES = 16 * 1024;

/**
 * Decodes frames one at a time, agent by agent, and lets the rest of the process run after each slice: five
 * hundred agents that send all they can cost everybody else at most one slice.
 */
export class Turns {
  readonly #sliceMs: number;
  readonly #isHeldUp: () => boolean;
  #line: TurnTaker[] = [];
  #first = 0;
  #isScheduled = false;

  /** @param isHeldUp  true while nothing may be decoded; call `resume` when it turns false */
  constructor(sliceMs: number, isHeldUp: () => boolean) {
    this.#sliceMs = sliceMs;
    this.#isHeldUp = isHeldUp;
  }

  get isEmpty(): boolean {
    return this.#first === this.#line.length;
  }

  /** Puts it at the end of the line, unless it stands there or has nothing to do. */
  join(taker: TurnTaker): void {
    if (taker.isInLine || !taker.hasWork()) return;
    taker.isInLine = true;
    this.#line.push(taker);
    this.resume();
  }

  resume(): void {
    if (this.#isScheduled || this.isEmpty) return;
    this.#isScheduled = true;
    setImmediate(() => this.#run());
  }

  #run(): void {
    this.#isScheduled = false;
    const untilMs = performance.now() + this.#sliceMs;
    let unclockedBytes = 0;
    while (!this.isEmpty && !this.#isHeldUp()) {
      const taker = this.#line[this.#first] as TurnTaker;
      this.#first += 1;
      taker.isInLine = false;
      if (taker.hasWork()) unclockedBytes += taker.takeTurn();
      if (!taker.isInLine && taker.hasWork()) {
        taker.isInLine = true;
        this.#line.push(taker);
      }
      // Reading the clock costs as much as checking a cell.
      if (unclockedBytes < CLOCK_BYTES) continue;
      unclockedBytes = 0;
      if (performance.now() >= untilMs) break;
    }
    this.#line = this.#line.slice(this.#first);
    this.#first = 0;
    if (!this.#isHeldUp()) this.resume();
  }
}
