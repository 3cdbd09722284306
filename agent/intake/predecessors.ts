import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import type { Clock } from '../clock.ts';
import type { FilePosition } from '../spool/intake-record.ts';
import { closeFile, isSameInode, type OpenFile, openFile, recognise } from './followed-file.ts';

/** Files of the folder among which predecessors are looked for. */
const SIBLINGS_MAX = 1_000;
/** Predecessors looked at, the newest ones. */
const PREDECESSORS_MAX = 100;

/** A file that log rotation made of a followed one. */
export interface Predecessor extends Sibling {
  /** `unsupported`: compressed in a way that cannot be read here. */
  readonly format: 'plain' | 'gzip' | 'unsupported';
  /** What rotation put into the name: `1`, `20261123`, `2026-11-23T02:00`. */
  readonly mark: string;
}

/** Where a followed file is, and the ones that were rotated away from it. */
export interface Place {
  /** As configured. */
  readonly path: string;
  /** What that leads to, if it is a link: the same where it is none. */
  readonly target: string;
  /** What it led to when the file that is read was opened, if that is known. */
  readonly former?: string;
}

/** A file of the same folder. */
export interface Sibling {
  readonly name: string;
  readonly path: string;
  readonly inode: number;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

export type Whereabouts =
  /** A file that holds all that was read, open to go on from there. */
  | { readonly kind: 'found'; readonly file: OpenFile; readonly later: readonly Predecessor[] }
  /** A copy of the followed file took its name, open to go on from there. */
  | { readonly kind: 'replaced'; readonly file: OpenFile }
  /** One that may hold it and is damaged, or is still being written. */
  | { readonly kind: 'damaged'; readonly predecessor: Predecessor }
  /** `later` is then what was written since: compressors leave a file its time. */
  | { readonly kind: 'gone'; readonly later: readonly Predecessor[] };

interface Search {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** False when what was read is known to have another name than the followed file: no copy of it gets that one. */
  readonly mayBeReplaced: boolean;
  /** Damaged files that are not to be waited for. */
  isSkipped(predecessor: Predecessor): boolean;
  /** Files that this process has read to their end, however late they are written to. */
  isLeft(predecessor: Predecessor): boolean;
}

/**
 * Finds where a position has gone, beside what the path leads to, when the file at `path` is not the one that was read:
 *
 * 1. The file that was read is still there under another name: it was rotated, and what has its old name is new,
 *    however it begins.
 * 2. A rotated file that was written to since begins with all that was read: it is the old one, compressed or copied.
 * 3. The file at `path` itself begins with all that was read: a copy took its place, as with `sed -i`, rsync, a
 *    restored backup, or a folder that was moved to another disk.
 * 4. It is gone.
 *
 * What remains ambiguous in 1: a file replaced by a copy while the old one is kept beside it is taken for rotated, and
 * read again. In 3: a new file that by chance begins with all of an old one of which nothing is left.
 */
export async function locate(place: Place, position: FilePosition, search: Search): Promise<Whereabouts> {
  const { clock, signal, isSkipped, mayBeReplaced } = search;
  const around = await lookAround(place);
  const { siblings } = around;
  const predecessors = around.predecessors.filter((one) => !search.isLeft(one));
  const renamed = siblings.find(({ inode }) => inode === position.inode);
  if (renamed && !isCompressed(renamed)) {
    const file = await openFile(renamed.path, clock);
    if (file && !isSameInode(file, position)) await closeFile(file);
    else if (file && (await recognise(file, position, signal)) === 'same')
      return { kind: 'found', file, later: laterThan(renamed, predecessors) };
  }
  // Every file begins with nothing: a position at 0 tells no content.
  const candidates = position.offset === 0 ? [] : likelyFirst(predecessors, position, clock.nowMs());
  let damaged: Predecessor | undefined;
  for (const candidate of candidates) {
    const file = await openPredecessor(candidate, clock);
    const recognised = file && (await recognise(file, position, signal));
    if (file && recognised === 'same')
      return { kind: 'found', file, later: laterThan(candidate, predecessors) };
    // One that is older than what was read cannot be it.
    const isSince = candidate.mtimeMs >= Math.floor(position.writtenAtMs / 1_000) * 1_000;
    if (recognised === 'damaged' && isSince && !isSkipped(candidate)) damaged ??= candidate;
  }
  if (damaged) return { kind: 'damaged', predecessor: damaged };
  if (mayBeReplaced && position.offset > 0) {
    const file = await openFile(place.path, clock);
    if (file && isSameInode(file, position)) await closeFile(file);
    else if (file && (await recognise(file, position, signal)) === 'same') return { kind: 'replaced', file };
  }
  return { kind: 'gone', later: predecessors.filter(({ mtimeMs }) => mtimeMs > position.writtenAtMs) };
}

/**
 * @returns undefined when the file has no name in the folder any more; `later` was written after it. A link may have been
 *     set to another file since: what it led to, and what was rotated away from that, then come first.
 */
export async function findInFolder(
  place: Place,
  inode: number,
): Promise<{ self: Sibling; later: Predecessor[] } | undefined> {
  const { siblings, predecessors } = await lookAround(place);
  const { former } = place;
  if (former === undefined || former === place.target) {
    const self = siblings.find((one) => one.inode === inode);
    return self && { self, later: laterThan(self, predecessors) };
  }
  const before = await lookAround({ path: former, target: former });
  const left = await lookAt(former);
  const family: Predecessor[] = [...before.predecessors];
  if (left) family.push({ ...left, format: 'plain', mark: '' });
  const self = [...family, ...before.siblings, ...siblings].find((one) => one.inode === inode);
  if (!self) return undefined;
  const known = new Set(family.map((one) => one.inode));
  const since = predecessors.filter((one) => one.mtimeMs > self.mtimeMs && !known.has(one.inode));
  return { self, later: [...laterThan(self, family), ...since.filter((one) => one.inode !== inode)] };
}

async function lookAround({ path, target }: Place) {
  const siblings = await siblingsOf(target);
  const names = [basename(target)];
  // A link beside files with dates is named as they are without them.
  if (dirname(path) === dirname(target) && path !== target) names.push(basename(path));
  return { siblings, predecessors: predecessorsAmong(siblings, names) };
}

/** @returns undefined when it is not there any more, or has another name by now */
export async function openPredecessor(
  { path, inode, format }: Predecessor,
  clock: Clock,
): Promise<OpenFile | undefined> {
  const file = await openFile(path, clock, format === 'gzip');
  if (file?.inode === inode) return file;
  if (file) await closeFile(file);
  return undefined;
}

function laterThan(one: Sibling, predecessors: readonly Predecessor[]): Predecessor[] {
  const index = predecessors.findIndex(({ inode }) => inode === one.inode);
  if (index !== -1) return predecessors.slice(index + 1);
  return predecessors.filter(({ mtimeMs }) => mtimeMs > one.mtimeMs);
}

/**
 * Contents can be equal up to the position: then it is the oldest of the files that were written to since. One that was
 * not is a file that was read to its end earlier. Some compressors keep the time only to the second.
 */
function likelyFirst(
  predecessors: readonly Predecessor[],
  { writtenAtMs }: FilePosition,
  nowMs: number,
): Predecessor[] {
  const secondMs = Math.floor(writtenAtMs / 1_000) * 1_000;
  const readable = predecessors.filter(({ format }) => format !== 'unsupported');
  // Others cut the last digits.
  const isSince = ({ mtimeMs }: Predecessor) => mtimeMs >= Math.floor(writtenAtMs);
  const toSecond = ({ mtimeMs }: Predecessor) => mtimeMs < Math.floor(writtenAtMs) && mtimeMs === secondMs;
  // A clock that was set back makes all look older.
  const isOlder = ({ mtimeMs }: Predecessor) => writtenAtMs > nowMs && mtimeMs < secondMs;
  return [
    ...readable.filter(isSince),
    ...readable.filter(toSecond).reverse(),
    ...readable.filter(isOlder).reverse(),
  ];
}

/** Names of compressed files; only gzip can be read. */
export const COMPRESSED = /\.(gz|zst|xz|bz2|lz4|Z)$/;
const isCompressed = ({ name }: Sibling) => COMPRESSED.test(name);
/** What log rotation puts after a name: .1, -20261123, .2026-11-23T02:00. */
const MARK = /^[.-](\d[\d.:T-]*)$/;
/** And before its extension; but app-2.log is another program's, not one of app.log. */
const INNER_MARK = /^(?:\.|-(?=\d{4}))(\d[\d.:T-]*)$/;

/** The files that rotation made of one of these names, oldest first. */
function predecessorsAmong(siblings: readonly Sibling[], names: readonly string[]): Predecessor[] {
  const found: Predecessor[] = [];
  for (const sibling of siblings) {
    const compressed = COMPRESSED.exec(sibling.name);
    const plainName = sibling.name.slice(0, compressed?.index ?? sibling.name.length);
    const mark = names.map((name) => markIn(plainName, name)).find((one) => one !== undefined);
    if (mark === undefined) continue;
    const format = compressed ? (compressed[1] === 'gz' ? 'gzip' : 'unsupported') : 'plain';
    found.push({ ...sibling, format, mark });
  }
  const plain = new Set(found.filter(({ format }) => format === 'plain').map(({ mark }) => mark));
  return (
    found
      // While a file is being compressed it is there in both forms, and whole in one of them.
      .filter(({ format, mark }) => format === 'plain' || !plain.has(mark))
      .sort(byAge)
      .slice(-PREDECESSORS_MAX)
  );
}

/** @returns what rotation put into `name` to make `rotated` of it, if it did */
function markIn(rotated: string, name: string): string | undefined {
  const extension = extname(name);
  const around = { stem: basename(name, extension), extension };
  return markOf(rotated, { stem: name, extension: '' }, MARK) ?? markOf(rotated, around, INNER_MARK);
}

/** @returns what stands between `stem` and `extension`, if rotation may have put it there */
function markOf(
  name: string,
  { stem, extension }: { stem: string; extension: string },
  mark: RegExp,
): string | undefined {
  if (!name.startsWith(stem) || !name.endsWith(extension)) return undefined;
  return mark.exec(name.slice(stem.length, name.length - extension.length))?.[1];
}

/** Numbers grow with age, dates do the opposite. */
function byAge(a: Predecessor, b: Predecessor): number {
  const [numberA, numberB] = [numberOf(a), numberOf(b)];
  if (numberA !== undefined && numberB !== undefined) return numberB - numberA || a.mtimeMs - b.mtimeMs;
  if (numberA === undefined && numberB === undefined && a.mark !== b.mark) return a.mark < b.mark ? -1 : 1;
  return a.mtimeMs - b.mtimeMs;
}

function numberOf({ mark }: Predecessor): number | undefined {
  return /^\d{1,5}$/.test(mark) ? Number(mark) : undefined;
}

/** The other files of a file's folder. */
async function siblingsOf(path: string): Promise<Sibling[]> {
  const own = basename(path);
  const stem = basename(own, extname(own));
  const names = (await readdir(dirname(path)).catch(() => [])).filter((name) => name !== own);
  // The likely ones first, in case there are too many.
  names.sort((a, b) => Number(b.startsWith(stem)) - Number(a.startsWith(stem)));
  const found: Sibling[] = [];
  for (const name of names.slice(0, SIBLINGS_MAX)) {
    const sibling = await lookAt(join(dirname(path), name));
    if (sibling) found.push(sibling);
  }
  return found;
}

/** @returns undefined when there is no file */
async function lookAt(path: string): Promise<Sibling | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) return undefined;
  return { name: basename(path), path, inode: info.ino, sizeBytes: info.size, mtimeMs: info.mtimeMs };
}
