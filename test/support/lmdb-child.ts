import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { openLmdbStore } from '../../server/store/lmdb/lmdb-store.ts';
import { PAGE_MINUTES, StoreUnavailable } from '../../server/store/store.ts';

/*
 * A process of its own on a data directory, for tests that kill it or run it beside another. It is started from
 * the build (`node dist/test/support/lmdb-child.js`), because Node runs no TypeScript.
 *
 *     write DIRECTORY SERVICES   applies one attempt after the other to each service until it is killed;
 *                                prints "acknowledged SERVICE SEQ" for each that is on the disk, and
 *                                "unavailable" for each that the disk did not take and that is tried again
 *     spread DIRECTORY SERVICES  the same, each attempt on a page of its own, so that the file grows
 *     read DIRECTORY             opens for reading; prints "attempts N" of service-0 for each line on stdin
 *
 * A store that does not open is printed as "refused CODE".
 */
const PAGES = 1_000;
const MINUTE = Date.UTC(2026, 10, 3, 8) / 60_000;
const [mode = '', directory = '', services = '1'] = process.argv.slice(2);

const say = (line: string) => process.stdout.write(`${line}\n`);

function minuteOf(seq: number): number {
  return mode === 'spread' ? MINUTE - (seq % PAGES) * PAGE_MINUTES : MINUTE + (seq % 960);
}

async function write(): Promise<void> {
  const { facts } = await openLmdbStore({ directory });
  const names = Array.from({ length: Number(services) }, (_, i) => `service-${i}`);
  const nowMs = MINUTE * 60_000;
  const { epoch, cursors } = await facts.openEpoch({ producerId: 'p', services: names, nowMs });
  say('open');
  await Promise.all(
    names.map(async (service) => {
      for (let expectedSeq = cursors.get(service)?.seq ?? 0; ; expectedSeq += 1) {
        const seq = expectedSeq + 1;
        const delta = {
          service,
          cursors: [{ producerId: 'p', epoch, expectedSeq, seq, digest: '' }],
          tallies: new Map([[minuteOf(seq), [1, 0, 0, 0, 0]]]),
          alive: new Set<number>(),
          late: new Map<number, number>(),
          origins: [],
        };
        const applied = await facts.apply(delta, nowMs).catch((error: unknown) => {
          if (error instanceof StoreUnavailable) return null;
          throw error;
        });
        if (applied === null) {
          say('unavailable');
          await sleep(10);
          expectedSeq -= 1;
          continue;
        }
        if (applied.status !== 'applied') throw new Error(`${service} ${seq} was ${applied.status}`);
        say(`acknowledged ${service} ${seq}`);
      }
    }),
  );
}

async function read(): Promise<void> {
  const { facts } = await openLmdbStore({ directory, readOnly: true });
  say('open');
  for await (const _ of createInterface({ input: process.stdin })) {
    const { tallies } = await facts.readMinutes('service-0', MINUTE, MINUTE + 960);
    say(`attempts ${tallies.reduce((sum, n) => sum + n, 0)}`);
  }
}

try {
  await (mode === 'read' ? read() : write());
} catch (error) {
  say(`refused ${(error as { code?: string }).code}`);
  process.exitCode = 1;
}
