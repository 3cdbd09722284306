import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

/** What a body can be packed with; the shorter result first. */
export const CODINGS = ['br', 'gzip'] as const;
export type Coding = (typeof CODINGS)[number];

/** What is shorter fits a packet or two anyway. */
export const PACK_FROM_BYTES = 4_096;

/** Of what is packed as it is asked for. */
export const GZIP_LEVEL = 6;

/** Types that shrink. A stream of events is none of them: each event must arrive as it happens. */
const PACKABLE = /^(?:application\/(?:json|openmetrics-text)|text\/(?!event-stream)|image\/svg)/;

export function isPackable(type: string): boolean {
  return PACKABLE.test(type);
}

/**
 * What a client takes, by its Accept-Encoding header (RFC 9110, 12.5.3): the highest weight wins, of equal ones the
 * first offered.
 * @param header   '' when there was none: then nothing is packed
 * @param offered  in the order of preference
 * @returns null for the body as it is
 */
export function codingFor(header: string, offered: readonly Coding[]): Coding | null {
  const weights = new Map(
    header.split(',').map((entry): [string, number] => {
      const [name = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.find((parameter) => parameter.startsWith('q='));
      return [name, weight === undefined ? 1 : Number(weight.slice(2))];
    }),
  );
  const weightOf = (name: string) => weights.get(name) ?? weights.get('*') ?? 0;
  // Of a body that need not be packed a client may still say that it wants it as it is.
  const least = weights.get('identity') ?? 0;
  const taken = offered.filter((coding) => weightOf(coding) > 0 && weightOf(coding) >= least);
  return taken.toSorted((a, b) => weightOf(b) - weightOf(a))[0] ?? null;
}

const gzipAsync = promisify(gzip);
const brotliAsync = promisify(brotliCompress);

/** Packs an answer, in a thread of its own: the event loop goes on. */
export function gzipped(body: string | Buffer): Promise<Buffer> {
  return gzipAsync(body, { level: GZIP_LEVEL });
}

/** Packs what is served many times, as short as it gets. */
export function packedOnce(content: Buffer, coding: Coding): Promise<Buffer> {
  if (coding === 'gzip') return gzipAsync(content, { level: constants.Z_BEST_COMPRESSION });
  const { BROTLI_PARAM_SIZE_HINT, BROTLI_PARAM_MODE, BROTLI_MODE_TEXT } = constants;
  return brotliAsync(content, {
    params: { [BROTLI_PARAM_SIZE_HINT]: content.length, [BROTLI_PARAM_MODE]: BROTLI_MODE_TEXT },
  });
}

/**
 * Whether a client holds this representation already (RFC 9110, 13.1.2).
 * @param ifNoneMatch  the header: `*`, or a list of entity tags, weak ones too
 */
export function isHeld(ifNoneMatch: string, etag: string): boolean {
  return ifNoneMatch.split(',').some((one) => {
    const tag = one.trim();
    return tag === '*' || tag.replace(/^W\//, '') === etag;
  });
}
