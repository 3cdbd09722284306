import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CODINGS, type Coding, codingFor, isHeld, packedOnce } from '../coding.ts';
import type { Route } from '../router.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Nothing from elsewhere, nothing inline, no frames, no forms: a script in a region's name stays text. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page's files lie beside the rooms, in the source and in the build alike. */
export const PAGE_FOLDER = fileURLToPath(new URL('../../../dashboards/page', import.meta.url));

/**
 * Serves the page's files, read and packed once and by their exact names, so that no path leads elsewhere. They hold
 * no figures: what the page shows it asks of the API.
 */
export function pageRoutes(folder: string): Route[] {
  return filesOf(folder).map(({ name, type, forms }): Route => {
    // Only a document has a policy to set; what it loads keeps the general, stricter one.
    const policy = name.endsWith('.html') ? { 'content-security-policy': PAGE_POLICY } : {};
    return {
      method: 'GET',
      pattern: name === 'index.html' ? '/' : `/${name}`,
      need: 'nothing',
      run: async ({ acceptEncoding, ifNoneMatch }) => {
        const coding = codingFor(acceptEncoding, CODINGS);
        const { body, etag } = forms[coding ?? 'plain'];
        const headers = {
          etag,
          vary: 'accept-encoding',
          'cache-control': 'no-cache',
          ...policy,
          ...(coding && { 'content-encoding': coding }),
        };
        if (isHeld(ifNoneMatch, etag)) return { status: 304, type, body: '', headers };
        return { status: 200, type, body: await body(), headers };
      },
    };
  });
}

/** One way to send a file; each has an entity tag of its own. */
interface Form {
  readonly etag: string;
  body(): Buffer | Promise<Buffer>;
}

interface PageFile {
  readonly name: string;
  readonly type: string;
  readonly forms: Readonly<Record<Coding | 'plain', Form>>;
}

function filesOf(folder: string): PageFile[] {
  return readdirSync(folder).flatMap((name) => {
    const type = TYPES[extname(name)];
    if (type === undefined) return [];
    const content = readFileSync(join(folder, name));
    const hash = createHash('sha256').update(content).digest('base64url').slice(0, 22);
    const plain = { etag: `"${hash}"`, body: () => content };
    return [
      { name, type, forms: { plain, br: packed(content, hash, 'br'), gzip: packed(content, hash, 'gzip') } },
    ];
  });
}

/** Packed when somebody first asks, so that a start takes no longer for it, and then kept. */
function packed(content: Buffer, hash: string, coding: Coding): Form {
  let kept: Promise<Buffer> | undefined;
  return {
    etag: `"${hash}-${coding}"`,
    body: () => {
      kept ??= packedOnce(content, coding).catch((error: unknown) => {
        // The next one who asks may have more luck.
        kept = undefined;
        throw error;
      });
      return kept;
    },
  };
}
