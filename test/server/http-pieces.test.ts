import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Access } from '../../server/http/access.ts';
import { Router } from '../../server/http/router.ts';
import { createHttpServer } from '../../server/http/server.ts';
import { createLog } from '../../server/log.ts';

const PIECES = 200;
const PIECE_MS = 2;
const PIECE = `${'x'.repeat(64 * 1024 - 1)}\n`;

/** An answer that takes work: a piece of 64 KiB every two milliseconds, all of it on this thread. */
function* laborious(): Iterable<string> {
  for (let i = 0; i < PIECES; i += 1) {
    const untilMs = performance.now() + PIECE_MS;
    while (performance.now() < untilMs);
    yield PIECE;
  }
}

const access = new Access({ tokens: [], host: '127.0.0.1', areMetricsOpen: true });
const server = createHttpServer({
  router: new Router([
    {
      method: 'GET',
      pattern: '/long',
      need: 'nothing',
      run: () => ({ status: 200, type: 'text/plain; charset=utf-8', body: laborious() }),
    },
  ]),
  access: () => access,
  log: createLog('silent'),
});
let port: number;
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.close();
});

it.each(['identity', 'gzip'])(
  'a long answer (%s) to a reader that takes everything at once leaves the event loop its turns',
  async (coding) => {
    // In a thread of its own: a reader on this one would make the event loop turn by itself.
    const reader = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       require('node:http').get(workerData, (response) => {
         let bytes = 0;
         response.on('data', (piece) => { bytes += piece.length; });
         response.on('end', () => parentPort.postMessage(bytes));
       });`,
      {
        eval: true,
        workerData: { port, host: '127.0.0.1', path: '/long', headers: { 'accept-encoding': coding } },
      },
    );
    let bytes: number | undefined;
    reader.once('message', (count: number) => {
      bytes = count;
    });
    await once(server, 'request');
    let turns = 0;
    for (; bytes === undefined; turns += 1) await turn();
    await reader.terminate();
    if (coding === 'identity') expect(bytes).toBe(PIECES * PIECE.length);
    // 400 ms of work in slices of 8 ms are fifty turns; without them there are but those before and after.
    expect(turns).toBeGreaterThan(25);
  },
);
