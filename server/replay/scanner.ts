import { strict as assert } from 'node:assert';
import { CAUSES, type Cause } from '../../sla/cause.ts';
import { type CauseLookup, causeOf } from '../../sla/causes.ts';
import { SLACK_BYTES } from '../../sla/lines/byte-text.ts';
import { IdHash } from '../../sla/lines/id-hash.ts';
import { FIELD, LineReader, UNUSUAL } from '../../sla/lines/line-reader.ts';
import { type Outcome, type OutcomeFault, parseOutcomeText, SERVICE_PATTERN } from '../../sla/outcome.ts';
import { ScannedOutcome } from './scanned-outcome.ts';

/** Bytes of one line, without its line feed; a longer one is a fault, and is skipped without being kept. */
export const LINE_BYTES_MAX = 1024 * 1024;
/** Bytes scanned at a time: few enough to be still in a core's cache. */
const CHUNK_BYTES = 256 * 1024;

const LF = 0x0a;
const BLANKS = new Set([0x20, 0x09, 0x0d]);
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

export type LineFault = OutcomeFault | LineTooLong;
export interface LineTooLong {
  readonly code: 'LINE_TOO_LONG';
  readonly field: '';
  readonly message: string;
}

/** Where the scanner puts what it reads. Every line that is not blank ends in exactly one of the three. */
export interface ScanSink {
  /** An outcome of the service; the object is used again for the next one. */
  take(outcome: ScannedOutcome): void;
  /** A sound outcome of another service. */
  skip(): void;
  /** @param line  from 1, within its file */
  refuse(fault: LineFault, line: number): void;
}

/**
 * Reads outcome lines (NDJSON) from chunks of bytes, cut anywhere.
 *
 * Lines end with LF or CR LF, the last one of a file also without. A byte order mark at the start of a file and
 * blank lines are passed over. The result is that of JSON.parse and `parseOutcome` on every line; the plain
 * ones, which are nearly all, are read at byte level instead (see LineReader).
 */
export class Scanner {
  /** Lines that had to be parsed in full. */
  unusualLines = 0;
  readonly #sink: ScanSink;
  readonly #service: string;
  readonly #lookup: CauseLookup;
  readonly #buffer = Buffer.alloc(LINE_BYTES_MAX + CHUNK_BYTES + SLACK_BYTES);
  readonly #view = new DataView(this.#buffer.buffer, this.#buffer.byteOffset, this.#buffer.length);
  readonly #reader = new LineReader(this.#view);
  readonly #outcome = new ScannedOutcome();
  readonly #idOfText = new IdHash();
  /** Bytes of the unfinished line, with which the buffer begins. */
  #unfinished = 0;
  #line = 1;
  #linesBefore = 0;
  /** The rest of a line that was too long is being passed over. */
  #isPassingOver = false;

  /** @param service  whose outcomes are taken, and whose a record is that names none */
  constructor({ service, lookup, sink }: { service: string; lookup: CauseLookup; sink: ScanSink }) {
    this.#service = service;
    this.#lookup = lookup;
    this.#sink = sink;
  }

  /** Lines read so far, over all files. */
  get lines(): number {
    return this.#linesBefore + this.#line - 1;
  }

  /** Where a source may put its next chunk, which saves that it is copied. */
  get space(): Buffer {
    return this.#buffer.subarray(this.#unfinished, this.#unfinished + CHUNK_BYTES);
  }

  /** @param chunk  of any length, or the first bytes of `space` */
  push(chunk: Uint8Array): void {
    if (chunk.buffer === this.#buffer.buffer) {
      assert(chunk.byteOffset === this.#buffer.byteOffset + this.#unfinished, 'the space of this chunk');
      this.#readLines(chunk.length);
      return;
    }
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
      const part = chunk.subarray(at, at + CHUNK_BYTES);
      this.space.set(part);
      this.#readLines(part.length);
    }
  }

  /** Reads a last line without line feed; the next chunk begins another file. */
  endFile(): void {
    if (this.#unfinished > 0 || this.#isPassingOver) this.push(Uint8Array.of(LF));
    this.#linesBefore += this.#line - 1;
    this.#line = 1;
  }

  /** Reads the lines that end in the bytes behind the unfinished one, and moves what is left to the front. */
  #readLines(bytes: number): void {
    const end = this.#unfinished + bytes;
    const lastFeed = this.#buffer.subarray(0, end).lastIndexOf(LF);
    let at = 0;
    if (this.#isPassingOver) {
      if (lastFeed < 0) return;
      at = this.#buffer.indexOf(LF, at) + 1;
      this.#isPassingOver = false;
      this.#line++;
    }
    while (at <= lastFeed) {
      const next = this.#reader.read(at);
      if (next !== UNUSUAL && next - 1 - at <= LINE_BYTES_MAX && this.#takePlain()) {
        at = next;
      } else {
        const feed = this.#buffer.indexOf(LF, at);
        this.#readUnusual(at, feed);
        at = feed + 1;
      }
      this.#line++;
    }
    this.#unfinished = end - at;
    if (this.#unfinished > LINE_BYTES_MAX) {
      this.#sink.refuse(TOO_LONG, this.#line);
      this.#isPassingOver = true;
      this.#unfinished = 0;
    }
    this.#buffer.copyWithin(0, end - this.#unfinished, end);
  }

  /** @returns false when the line has to be read in full after all */
  #takePlain(): boolean {
    const line = this.#reader;
    if (!line.has(FIELD.at)) return false;
    const service = line.has(FIELD.service) ? line.label(FIELD.service) : this.#service;
    if (service !== this.#service) {
      if (!SERVICE_PATTERN.test(service)) return false;
      this.#sink.skip();
      return true;
    }
    const outcome = this.#outcome;
    outcome.startedAtMs = line.startedAtMs;
    outcome.count = line.has(FIELD.count) ? line.integers[FIELD.count]! : 1;
    outcome.result = line.isFailed ? 'failed' : 'ok';
    if (line.isFailed) outcome.cause = this.#causeOfPlain();
    outcome.id = line.has(FIELD.id) ? line.id : undefined;
    this.#sink.take(outcome);
    return true;
  }

  #causeOfPlain(): Cause {
    const line = this.#reader;
    if (line.has(FIELD.cause)) return CAUSES[line.causeIndex]!;
    const { integers } = line;
    const failed = {
      platform: line.has(FIELD.platform) ? line.label(FIELD.platform) : '',
      ...(line.has(FIELD.code) && { code: integers[FIELD.code]! }),
      ...(line.has(FIELD.extraCode) && { extraCode: integers[FIELD.extraCode]! }),
    };
    return causeOf(failed, this.#lookup);
  }

  #readUnusual(start: number, end: number): void {
    this.unusualLines++;
    if (end - start > LINE_BYTES_MAX) {
      this.#sink.refuse(TOO_LONG, this.#line);
      return;
    }
    const isMarked = this.#line === 1 && BYTE_ORDER_MARK.every((byte, i) => this.#buffer[start + i] === byte);
    const first = isMarked ? start + BYTE_ORDER_MARK.length : start;
    if (this.#buffer.subarray(first, end).every((byte) => BLANKS.has(byte))) return;
    const parsed = parseOutcomeText(this.#buffer.toString('utf8', first, end), { service: this.#service });
    if (!parsed.ok) this.#sink.refuse(parsed.fault, this.#line);
    else if (parsed.outcome.service !== this.#service) this.#sink.skip();
    else this.#takeParsed(parsed.outcome);
  }

  #takeParsed(parsed: Outcome): void {
    const outcome = this.#outcome;
    outcome.startedAtMs = parsed.startedAtMs;
    outcome.count = parsed.count;
    outcome.result = parsed.result;
    if (parsed.result === 'failed') outcome.cause = causeOf(parsed, this.#lookup);
    if (parsed.id !== undefined) this.#idOfText.ofText(parsed.id);
    outcome.id = parsed.id === undefined ? undefined : this.#idOfText;
    this.#sink.take(outcome);
  }
}

const TOO_LONG: LineTooLong = {
  code: 'LINE_TOO_LONG',
  field: '',
  message: `the line is longer than ${LINE_BYTES_MAX} bytes; write one outcome a line`,
};
