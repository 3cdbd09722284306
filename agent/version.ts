import { createRequire } from 'node:module';

/** Beside the rooms in the sources and in dist/, one level higher where dist/ was copied without it. */
const PLACES = ['../package.json', '../../package.json'];

export const AGENT_VERSION = readVersion();

function readVersion(): string {
  const load = createRequire(import.meta.url);
  for (const place of PLACES) {
    try {
      return (load(place) as { version: string }).version;
    } catch {
      // The next place.
    }
  }
  return 'unknown';
}
