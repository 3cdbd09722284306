import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentTokenUnusable, readOrMakeAgentToken } from '../../server/app/agent-token.ts';
import { createClosing } from '../../server/app/closing.ts';
import { openLate } from '../../server/app/late-store.ts';
import { Undo } from '../../server/app/undo.ts';
import { createLog } from '../../server/log.ts';
import { StoreFault } from '../../server/store/errors.ts';
import { openLmdbStore } from '../../server/store/lmdb/lmdb-store.ts';
import { StoreUnavailable } from '../../server/store/store.ts';
import { monthAt, serviceMonth } from '../../sla/month.ts';
import { parseTerms, type Terms } from '../../sla/terms.ts';
import { spansOf, windowOf } from '../../sla/window.ts';
import { waitFor } from '../support/wait-for.ts';

const SILENT = createLog('silent', new PassThrough());

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'roomwatch-parts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('stopping', () => {
  it('takes back in reverse order, whatever fails on the way', async () => {
    const undo = new Undo(SILENT);
    const done: string[] = [];
    for (const name of ['store', 'evaluation', 'http']) {
      undo.push(name, () => {
        done.push(name);
        if (name === 'evaluation') throw new Error('not now');
      });
    }
    await undo.unwind(1_000);
    expect(done).toEqual(['http', 'evaluation', 'store']);
    await undo.unwind(1_000);
    expect(done).toHaveLength(3);
  });

  it('is not held up by a part that never stops', async () => {
    const undo = new Undo(SILENT);
    let isClosed = false;
    undo.push('store', () => {
      isClosed = true;
    });
    undo.push('stuck', () => new Promise(() => {}));
    const startedAtMs = performance.now();
    await undo.unwind(300);
    expect(isClosed).toBe(true);
    expect(performance.now() - startedAtMs).toBeGreaterThanOrEqual(290);
  });
});

describe('a store that is not there yet', () => {
  const open = () => openLmdbStore({ directory: join(folder, 'books') });

  it('answers every call with StoreUnavailable, and works once it has come', async () => {
    let isThere = false;
    let restored = 0;
    const store = await openLate({
      open: async () => {
        if (!isThere) throw new StoreUnavailable('not yet');
        return open();
      },
      log: SILENT,
      random: () => 0,
    });
    store.onRestored(() => {
      restored += 1;
    });
    await expect(store.ping()).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.facts.services()).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.journal.read('x')).rejects.toBeInstanceOf(StoreUnavailable);
    await expect(store.ledger.load('acme')).rejects.toBeInstanceOf(StoreUnavailable);
    isThere = true;
    await waitFor('the store', () => store.ping().then(() => true));
    expect(restored).toBe(1);
    await store.close();
  });

  it('that will never be usable ends the start', async () => {
    const fault = new StoreFault('STORE_UNSUITABLE', 'it evicts');
    const opening = openLate({ open: () => Promise.reject(fault), log: SILENT, random: () => 0 });
    await expect(opening).rejects.toBe(fault);
  });

  it('can be closed while it is still waited for', async () => {
    const store = await openLate({
      open: () => Promise.reject(new StoreUnavailable('not yet')),
      log: SILENT,
      random: () => 1,
    });
    await store.close();
  });
});

describe('the token for agents', () => {
  const random = (bytes: number) => Buffer.alloc(bytes, 7);

  it('is made once, for its owner alone, and found again', () => {
    const file = join(folder, 'data', 'agent-token');
    const made = readOrMakeAgentToken(file, random);
    expect(made.isNew).toBe(true);
    expect(made.token).toMatchObject({ role: 'agent', services: 'all', secret: '07'.repeat(24) });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const found = readOrMakeAgentToken(file, () => Buffer.alloc(24, 8));
    expect(found).toEqual({ token: made.token, isNew: false });
    expect(readFileSync(file, 'utf8')).toBe(`${'07'.repeat(24)}\n`);
  });

  it('that was emptied is not replaced in silence: agents hold the old one', () => {
    const file = join(folder, 'agent-token');
    writeFileSync(file, '\n');
    expect(() => readOrMakeAgentToken(file, random)).toThrow(AgentTokenUnusable);
  });
});

it('a window closes at its end and the grace, for every minute of any terms, in any order of asking', () => {
  const terms = (
    [
      {},
      { timeZone: 'UTC', graceMinutes: 0 },
      { timeZone: 'Europe/Berlin', windowMinutes: 15 },
      { serviceStart: '2026-03-17', serviceEnd: '2026-06-16' },
    ] as const
  ).map((input): Terms => {
    const parsed = parseTerms(input);
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
    return parsed.terms;
  });
  const minutes = fc.integer({ min: Date.UTC(2026, 1, 1) / 60_000, max: Date.UTC(2026, 11, 1) / 60_000 });
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), minutes), { maxLength: 30 }), (asked) => {
      const closesAtMs = createClosing((service) => terms[Number(service)]!);
      for (const [which, minute] of asked) {
        const own = terms[which]!;
        const found = serviceMonth(monthAt(minute * 60_000, own), own);
        const window = found.ok ? windowOf(found.month, minute) : -1;
        const end = found.ok && window >= 0 ? spansOf(found.month, window).at(-1)!.toMinute : null;
        const expected = end === null ? Number.POSITIVE_INFINITY : (end + own.graceMinutes) * 60_000;
        expect(closesAtMs(String(which), minute)).toBe(expected);
      }
    }),
  );
});
