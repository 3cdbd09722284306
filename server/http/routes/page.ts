import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
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
 * Serves the page's files, read once and by their exact names, so that no path leads elsewhere. They hold no
 * figures: what the page shows it asks of the API.
 */
export function pageRoutes(folder: string): Route[] {
  return filesOf(folder).map(({ name, type, content, etag }): Route => {
    const headers = { etag, 'cache-control': 'no-cache', 'content-security-policy': PAGE_POLICY };
    return {
      method: 'GET',
      pattern: name === 'index.html' ? '/' : `/${name}`,
      need: 'nothing',
      run: ({ ifNoneMatch }) => ({
        status: ifNoneMatch === etag ? 304 : 200,
        type,
        body: content,
        headers,
      }),
    };
  });
}

interface PageFile {
  readonly name: string;
  readonly type: string;
  readonly content: Buffer;
  readonly etag: string;
}

function filesOf(folder: string): PageFile[] {
  return readdirSync(folder).flatMap((name) => {
    const type = TYPES[extname(name)];
    if (type === undefined) return [];
    const content = readFileSync(join(folder, name));
    const etag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
    return [{ name, type, content, etag }];
  });
}
