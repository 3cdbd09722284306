import { CAUSES } from '../../sla/cause.ts';
import { SLACK_BYTES } from '../../sla/lines/byte-text.ts';
import type { IdHash } from '../../sla/lines/id-hash.ts';
import { FIELD, LineReader, UNUSUAL } from '../../sla/lines/line-reader.ts';
import { LINE_BYTES, lineText, markBytes } from './line-splitter.ts';

const LF = 0x0a;
/** Bytes scanned at a time: few enough to be still in a core's cache. */
const CHUNK_BYTES = 64 * 1024;

/** What a plain line says, one object for all of them: valid until the next line is read. */
export interface PlainOutcome {
  readonly service: string | undefined;
  readonly at: number | undefined;
  readonly result: 'ok' | 'failed';
  readonly platform: string;
  readonly region: string;
  readonly code: number | undefined;
  readonly extraCode: number | undefined;
  readonly cause: string | undefined;
  readonly count: number;
}

export interface LineSink {
  /**
   * An outcome that was read at byte level, which means what the full parser says that its line means; only the
   * service's name is not judged yet.
   * @param id of its id; valid until the next line is read
   * @returns false when the line is to be given to `other` after all
   */
  plain(outcome: PlainOutcome, id: IdHash | undefined): boolean;
  /**
   * Any other line.
   * @param text    undefined for one that was too long; `NOT_UTF8` for one that is not
   * @param number  of the line, from 1
   */
  other(text: string | undefined, number: number): void;
}

/**
 * Cuts a stream of bytes into lines and reads the plain ones, which are nearly all, without a string or an object
 * being made for them; see LineReader.
 */
export class PlainLines {
  readonly #sink: LineSink;
  readonly #buffer = Buffer.alloc(LINE_BYTES + CHUNK_BYTES + 1 + SLACK_BYTES);
  readonly #view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.length);
  readonly #reader = new LineReader(this.#view);
  readonly #outcome: { -readonly [K in keyof PlainOutcome]: PlainOutcome[K] } = {
    service: undefined,
    at: undefined,
    result: 'ok',
    platform: '',
    region: '',
    code: undefined,
    extraCode: undefined,
    cause: undefined,
    count: 1,
  };
  /** Bytes of the unfinished line, with which the buffer begins. */
  #unfinished = 0;
  /** The rest of a line that was too long is being passed over. */
  #isPassingOver = false;
  #lines = 0;

  constructor(sink: LineSink) {
    this.#sink = sink;
  }

  /** Complete lines read so far. */
  get lines(): number {
    return this.#lines;
  }

  /** Whether the stream, should it end here, ends inside a line. */
  get isInLine(): boolean {
    return this.#unfinished > 0 || this.#isPassingOver;
  }

  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
      const part = chunk.subarray(at, at + CHUNK_BYTES);
      this.#buffer.set(part, this.#unfinished);
      this.#read(this.#unfinished + part.length);
    }
  }

  /** Reads the unfinished line at the end of the stream as far as it goes. */
  end(): void {
    if (this.isInLine) this.push(Uint8Array.of(LF));
  }

  #read(end: number): void {
    const lastFeed = this.#buffer.subarray(0, end).lastIndexOf(LF);
    let at = 0;
    if (this.#isPassingOver) {
      if (lastFeed < 0) return;
      at = this.#buffer.indexOf(LF) + 1;
      this.#isPassingOver = false;
      this.#lines += 1;
    }
    // The first line is whole by now.
    if (this.#lines === 0 && at <= lastFeed) at += markBytes(this.#buffer);
    while (at <= lastFeed) {
      this.#lines += 1;
      const next = this.#reader.read(at);
      if (next !== UNUSUAL && next - 1 - at <= LINE_BYTES && this.#isTaken()) {
        at = next;
        continue;
      }
      const feed = this.#buffer.indexOf(LF, at);
      const text = feed - at > LINE_BYTES ? undefined : lineText(this.#buffer.subarray(at, feed));
      this.#sink.other(text, this.#lines);
      at = feed + 1;
    }
    this.#unfinished = end - at;
    if (this.#unfinished > LINE_BYTES) {
      this.#sink.other(undefined, this.#lines + 1);
      this.#isPassingOver = true;
      this.#unfinished = 0;
    }
    this.#buffer.copyWithin(0, end - this.#unfinished, end);
  }

  #isTaken(): boolean {
    const line = this.#reader;
    const outcome = this.#outcome;
    outcome.service = line.has(FIELD.service) ? line.label(FIELD.service) : undefined;
    outcome.at = line.has(FIELD.at) ? line.startedAtMs : undefined;
    outcome.result = line.isFailed ? 'failed' : 'ok';
    outcome.platform = line.has(FIELD.platform) ? line.label(FIELD.platform) : '';
    outcome.region = line.has(FIELD.region) ? line.label(FIELD.region) : '';
    outcome.code = line.has(FIELD.code) ? line.integers[FIELD.code] : undefined;
    outcome.extraCode = line.has(FIELD.extraCode) ? line.integers[FIELD.extraCode] : undefined;
    outcome.cause = line.has(FIELD.cause) ? CAUSES[line.causeIndex] : undefined;
    outcome.count = line.has(FIELD.count) ? line.integers[FIELD.count]! : 1;
    return this.#sink.plain(outcome, line.has(FIELD.id) ? line.id : undefined);
  }
}
