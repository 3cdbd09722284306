import type { CauseLookup } from '../../sla/causes.ts';
import type { MinuteFacts } from '../../sla/facts.ts';
import type { ServiceMonth } from '../../sla/month.ts';
import type { Progress } from './progress.ts';
import { type Refusals, ReplayBooks, type ReplayCounts } from './replay-books.ts';
import { Scanner } from './scanner.ts';
import type { Source } from './source.ts';

export interface ReplayRequest {
  readonly service: string;
  readonly month: ServiceMonth;
  /** Outcomes that started then or later are left out. */
  readonly endMs: number;
  readonly idSpanMinutes: number;
  readonly lookup: CauseLookup;
}

export interface Replayed {
  /** False when the signal stopped it: the facts are then of a part of the files. */
  readonly isComplete: boolean;
  readonly facts: MinuteFacts;
  readonly counts: ReplayCounts;
  readonly refusals: readonly Refusals[];
  readonly lines: number;
}

/**
 * Reads outcome files into the facts of one service's month, in memory that does not grow with them: the
 * month's counters, one buffer, and a bounded memory of ids.
 * @param onProgress  called after every chunk with what was read so far; `elapsedMs` is left to the caller
 * @throws SourceUnreadable as soon as an input breaks off
 */
export async function replay(
  sources: readonly Source[],
  request: ReplayRequest,
  {
    signal,
    onProgress,
  }: { signal: AbortSignal; onProgress: (progress: Omit<Progress, 'elapsedMs'>) => void },
): Promise<Replayed> {
  const { service, month, endMs, idSpanMinutes, lookup } = request;
  const books = new ReplayBooks({ month, endMs, idSpanMinutes });
  const scanner = new Scanner({ service, lookup, sink: books });
  const sizes = sources.map(({ sizeBytes }) => sizeBytes);
  const totalBytes = sizes.reduce(
    (sum, size) => (sum === undefined || size === undefined ? undefined : sum + size),
    0,
  );
  let readBytes = 0;
  for (const source of sources) {
    books.beginFile(source.name);
    const chunks = source.chunks({
      signal,
      space: () => scanner.space,
      onRead: (storedBytes) => {
        readBytes += storedBytes;
      },
    });
    for await (const chunk of chunks) {
      scanner.push(chunk);
      onProgress({ readBytes, totalBytes, lines: scanner.lines });
      if (signal.aborted) break;
    }
    if (signal.aborted) break;
    scanner.endFile();
  }
  return {
    isComplete: !signal.aborted,
    facts: books.facts(),
    counts: books.counts(),
    refusals: books.refusals(),
    lines: scanner.lines,
  };
}
