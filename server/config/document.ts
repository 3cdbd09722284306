import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLError } from 'yaml';

/** One-based, as editors count. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export type Path = readonly (string | number)[];

/** A YAML or JSON text with the place of everything in it. */
export interface SourceDocument {
  readonly value: unknown;
  /** Where the value at a path is written; where its nearest parent is, when it is not written at all. */
  positionOf(path: Path): Position;
  /** Where a key of the mapping at `path` is written. */
  positionOfKey(path: Path, key: string): Position;
}

export interface SyntaxFault {
  readonly position: Position;
  readonly message: string;
}

/** A configuration is written by hand; more than this is a wrong file. */
const MAX_CHARACTERS = 1024 * 1024;

/** @returns the document, or every fault of its syntax */
export function readDocument(
  text: string,
):
  | { readonly ok: true; readonly document: SourceDocument }
  | { readonly ok: false; readonly faults: readonly SyntaxFault[] } {
  if (text.length > MAX_CHARACTERS) {
    const message = `the file has ${text.length} characters, more than ${MAX_CHARACTERS}; is it the right file?`;
    return { ok: false, faults: [{ position: { line: 1, column: 1 }, message }] };
  }
  const lines = new LineCounter();
  const parsed = parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, merge: false });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  if (parsed.errors.length > 0) {
    return { ok: false, faults: distinctLines(parsed.errors.map((error) => syntaxFault(error, at))) };
  }
  const root = parsed.contents as Node | null;
  const positionOf = (path: Path) => at(nearestNode(root, path)?.range?.[0] ?? 0);
  let value: unknown;
  try {
    value = parsed.toJS({ maxAliasCount: 100 });
  } catch (error) {
    const message = `${(error as Error).message}; write the values out instead of using aliases`;
    return { ok: false, faults: [{ position: { line: 1, column: 1 }, message }] };
  }
  return {
    ok: true,
    document: {
      value,
      positionOf,
      positionOfKey: (path, key) => {
        const parent = nearestNode(root, path);
        const pair = isMap(parent) ? parent.items.find((item) => keyText(item) === key) : undefined;
        const range = isPair(pair) && isScalar(pair.key) ? pair.key.range : undefined;
        return range ? at(range[0]) : positionOf(path);
      },
    },
  };
}

function nearestNode(root: Node | null, path: Path): Node | null {
  let node = root;
  for (const step of path) {
    let next: unknown;
    if (isMap(node)) next = node.get(String(step), true);
    else if (isSeq(node) && typeof step === 'number') next = node.get(step, true);
    if (!isNodeWithRange(next)) return node;
    node = next;
  }
  return node;
}

function isNodeWithRange(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && Array.isArray((value as Node).range);
}

function keyText(pair: { readonly key: unknown }): string | undefined {
  return isScalar(pair.key) ? String(pair.key.value) : undefined;
}

function syntaxFault(error: YAMLError, at: (offset: number) => Position): SyntaxFault {
  return { position: at(error.pos[0]), message: SYNTAX_SENTENCES[error.code] ?? `${error.message}` };
}

/** The parser's own words where they say enough; ours where a reader would ask "and now?". */
const SYNTAX_SENTENCES: Partial<Record<string, string>> = {
  TAB_AS_INDENT: 'a tab is in the indentation; YAML takes spaces only, replace it by spaces',
  DUPLICATE_KEY: 'this key is written twice in the same mapping; delete one of them',
  BAD_INDENT: 'the indentation fits no level above; align it with its siblings',
  MULTIPLE_DOCS: 'the file holds several documents (---); keep one',
  MISSING_CHAR: 'a closing quotation mark, bracket or a colon after a key is missing here or just before',
  MULTILINE_IMPLICIT_KEY: 'this line is no "key: value"; add the colon and a blank after it',
  BLOCK_AS_IMPLICIT_KEY: 'the value holds a colon of its own; put it in quotation marks',
};

/** One slip makes the parser stumble several times on a line; the first one is the cause. */
function distinctLines(faults: readonly SyntaxFault[]): SyntaxFault[] {
  return faults.filter((fault, i) => faults.findIndex((f) => f.position.line === fault.position.line) === i);
}
