import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const root = fileURLToPath(new URL('../../..', import.meta.url));

const PAGE = `<!doctype html><title>rooms</title><link rel="icon" href="data:,">
<script type="importmap">{"imports": {"roomwatch/browser": "/beacon.js"}}</script>
<script type="module" src="/scenarios.js"></script>`;

/** Makes the file that is published. */
export function bundleBeacon(file: string): void {
  execFileSync(process.execPath, [join(root, 'scripts', 'beacon.mjs'), file]);
}

/** Serves a page that has the beacon as it is published, the scenarios and TRTC's own SDK. */
export async function startPageServer(): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'roomwatch-beacon-'));
  bundleBeacon(join(folder, 'beacon.js'));
  await build({
    input: fileURLToPath(new URL('page/scenarios.ts', import.meta.url)),
    platform: 'browser',
    external: ['roomwatch/browser'],
    logLevel: 'warn',
    output: { file: join(folder, 'scenarios.js'), format: 'esm', minify: true },
  });
  const scripts = new Map([
    ['/beacon.js', join(folder, 'beacon.js')],
    ['/scenarios.js', join(folder, 'scenarios.js')],
    ['/trtc.js', join(root, 'node_modules', 'trtc-sdk-v5', 'trtc.js')],
  ]);
  const server = createServer(async (request, response) => {
    const script = scripts.get(request.url ?? '');
    response.setHeader('Content-Type', script ? 'text/javascript' : 'text/html');
    response.end(script ? await readFile(script) : PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
