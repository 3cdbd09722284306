import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ExclusionEntry } from '../../server/exclusions.ts';
import { csvLine, parseCsv } from '../../server/statement/csv-text.ts';
import { dataOf, fieldsOf } from '../../server/statement/flat-fields.ts';
import {
  monthStatement,
  type StatementInput,
  statementHash,
} from '../../server/statement/month-statement.ts';
import { renderStatement, STATEMENT_FORMATS } from '../../server/statement/render.ts';
import { verifyStatement } from '../../server/statement/verify-statement.ts';
import { serviceMonth } from '../../sla/month.ts';
import type { Statement } from '../../sla/statement.ts';
import { createTally } from '../../sla/tally.ts';
import { parseTerms } from '../../sla/terms.ts';

const at = (text: string) => Date.parse(text);
const AFTER_MS = at('2026-11-20T00:00:00+08:00');

/** Four days, so that a thousand altered copies can be verified: two windows lost, one excluded, one withdrawn. */
function shortMonth(): StatementInput {
  const terms = parseTerms({
    serviceStart: '2026-11-09',
    serviceEnd: '2026-11-12',
    monthlyFee: { amount: '99.99', currency: 'USD' },
  });
  if (!terms.ok) throw new Error(terms.faults[0]?.message);
  const found = serviceMonth('2026-11', terms.terms);
  if (!found.ok) throw new Error(found.message);
  const { month } = found;
  const tally = createTally(month.firstMinute, month.minuteCount);
  for (let startedAtMs = month.startMs; startedAtMs < month.endMs - 3_600_000; startedAtMs += 60_000) {
    tally.add({ startedAtMs, result: 'ok', count: 90 }, 'unknown');
  }
  const failing = at('2026-11-10T14:00:00+08:00');
  for (let minute = 0; minute < 15; minute++) {
    const failed = { startedAtMs: failing + minute * 60_000, result: 'failed', count: 10 } as const;
    tally.add(failed, minute % 3 === 0 ? 'unknown' : 'provider');
    tally.add({ ...failed, count: 3 }, minute % 2 === 0 ? 'customer' : 'network');
  }
  tally.markWatched();
  const facts = tally.facts();
  facts.late[(failing / 60_000 - month.firstMinute) / 5] = 37;
  const entry = (id: string, rest: Partial<ExclusionEntry['exclusion']>): ExclusionEntry => ({
    id,
    exclusion: {
      service: 'acme',
      fromMs: failing + 5 * 60_000,
      toMs: failing + 10 * 60_000,
      clause: '4.10',
      author: '=HYPERLINK("http://x.example","ops")',
      reason: '<script>alert(1)</script> & "announced", 切换',
      noticeAtMs: at('2026-11-01T00:00:00Z'),
      ...rest,
    },
    entered: { by: 'ops', atMs: at('2026-11-13T00:00:00Z') },
    withdrawn: null,
  });
  const entries = [
    entry('e-1', {}),
    {
      ...entry('e-2', {
        fromMs: failing,
        toMs: failing + 60_000,
        clause: '4.2',
        author: "'dev",
        reason: '-1+1',
      }),
      withdrawn: { by: 'ops', atMs: at('2026-11-14T00:00:00Z'), reason: '@mistake' },
    },
    entry('other-service', { service: 'other' }),
    entry('other-month', { fromMs: at('2026-10-01T00:00:00Z'), toMs: at('2026-10-02T00:00:00Z') }),
  ];
  return { service: 'acme', month, facts, terms: terms.terms, entries, nowMs: AFTER_MS };
}

const input = shortMonth();
const statement = monthStatement(input);
const json = renderStatement(statement, 'json').body;
const csv = renderStatement(statement, 'csv').body;

describe('a statement', () => {
  it('holds every window, the exclusions of its month with their history, and the figures', () => {
    expect(statement.rows).toHaveLength(4 * 288);
    expect(statement.exclusions.map(({ id, withdrawn }) => [id, withdrawn?.by])).toEqual([
      ['e-1', undefined],
      ['e-2', 'ops'],
    ]);
    expect(statement.figures).toMatchObject({
      month: '2026-11',
      budget: { allowed: 1, lost: 2, left: 0 },
      windows: { down: 2, excluded: 1, unmeasured: 12 },
      voucherPercent: 10,
      voucher: { amount: '9.99', currency: 'USD' },
      revisions: [{ start: '2026-11-10T06:00:00.000Z', lateAttempts: 37 }],
    });
  });

  it('is as of the end of the month, or of the last full window while the month lasts', () => {
    const asOf = (nowMs: number) => monthStatement({ ...input, nowMs }).figures.asOf;
    expect(asOf(AFTER_MS)).toBe('2026-11-12T16:00:00.000Z');
    expect(asOf(AFTER_MS + 1_234_567)).toBe('2026-11-12T16:00:00.000Z');
    expect(asOf(at('2026-11-10T06:09:59.999Z'))).toBe('2026-11-10T06:05:00.000Z');
    expect(asOf(at('2026-11-10T06:10:00.000Z'))).toBe('2026-11-10T06:10:00.000Z');
  });

  it('has the same bytes in every form whenever it is asked for', () => {
    for (const format of STATEMENT_FORMATS) {
      const again = monthStatement({ ...shortMonth(), nowMs: AFTER_MS + 99_999 });
      expect(renderStatement(again, format)).toEqual(renderStatement(statement, format));
    }
  });

  it('calls its figures observed and never official', () => {
    for (const format of ['text', 'html'] as const) {
      const { body } = renderStatement(statement, format);
      expect(body).toContain('bserved');
      expect(body).toContain(statementHash(statement));
      expect(body).not.toMatch(/official/i);
    }
  });

  it('reads well as text', async () => {
    await expect(renderStatement(statement, 'text').body).toMatchFileSnapshot(
      '../fixtures/reports/statement.txt',
    );
  });
});

describe('a statement as HTML', () => {
  const { body, contentType } = renderStatement(statement, 'html');

  it('escapes what people wrote, and has no script and nothing from elsewhere', () => {
    expect(contentType).toBe('text/html; charset=utf-8');
    expect(body).toContain('&#60;script&#62;alert(1)&#60;/script&#62; &#38; &#34;announced&#34;, 切换');
    expect(body).not.toMatch(/<script|<img|<link|<iframe|\son\w+=|\ssrc=|\shref=|url\(|@import/i);
  });

  it('has balanced tags, a row for each day and one for each lost window', () => {
    for (const tag of ['table', 'tr', 'td', 'th', 'tbody', 'thead', 'p', 'dl', 'dd', 'b', 'pre', 'div']) {
      const opened = body.match(new RegExp(`<${tag}[ >]`, 'g'))?.length ?? 0;
      expect(body.match(new RegExp(`</${tag}>`, 'g'))?.length ?? 0, tag).toBe(opened);
    }
    expect(body.match(/<tr><th>\w{3} 2026-11-\d\d<\/th>/g)).toHaveLength(4);
    expect(body.match(/<td class="down" title="2026-11-10 14:00: 2 lost">#<\/td>/g)).toHaveLength(1);
    expect(body).toContain('<p>! Nobody was watching in 12 windows; they count as up.</p>');
    expect(body).toContain('<td>2026-11-10 14:00 to 14:05</td><td>50</td><td>500</td>');
  });
});

describe('a statement as CSV', () => {
  it('has no cell that a spreadsheet takes for a formula, and no line break within a line', () => {
    const cells = csv
      .slice(1)
      .split('\r\n')
      .flatMap((line) => line.match(/("([^"]|"")*"|[^,]*)(,|$)/g) ?? [])
      .map((cell) => cell.replace(/,$/, '').replace(/^"|"$/g, ''));
    expect(cells.filter((cell) => /^[=+\-@\t\r]/.test(cell))).toEqual([]);
    expect(cells).toContain(`'=HYPERLINK(""http://x.example"",""ops"")`);
    expect(cells).toContain("'+08:00");
    expect(cells).toContain("''dev");
  });

  it('gives back any cells that it was given', () => {
    const cell = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc
        .tuple(fc.constantFrom("'", '=', '+', '-', '@', '\t', '\uFF1D', "'=", "''"), fc.string())
        .map(([a, b]) => a + b),
      fc.constantFrom('', ',', '"', '""', '\r\n', '\n', "'"),
    );
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 1, maxLength: 5 }), { maxLength: 5 }), (lines) => {
        expect(parseCsv(lines.map((cells) => csvLine(cells)).join(''))).toEqual(lines);
      }),
      { numRuns: 2_000 },
    );
  });

  it('gives back any plain data from its named fields', () => {
    const key = fc.stringMatching(/^[A-Za-z][A-Za-z0-9]{0,5}$/);
    const leaf = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
      fc.boolean(),
      fc.constant(null),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.dictionary(
        key,
        fc.oneof({ depthSize: 'small', maxDepth: 4 }, leaf, fc.array(leaf, { maxLength: 3 }), tie('tree')),
        { maxKeys: 4 },
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(key, tree, { minKeys: 1, maxKeys: 3 }), (data) => {
        const plain = JSON.parse(JSON.stringify(data)) as unknown;
        expect(dataOf(fieldsOf(plain))).toEqual({ ok: true, data: plain });
      }),
    );
  });
});

describe('verifying', () => {
  const hash = statementHash(statement);

  it('finds both forms sound, and a CSV too whose line ends were changed', () => {
    for (const text of [
      json,
      csv,
      csv.replaceAll('\r\n', '\n'),
      csv.slice(1),
      JSON.stringify(JSON.parse(json)),
    ]) {
      expect(verifyStatement(text)).toMatchObject({ status: 'verified', hash });
    }
  });

  const altered: [string, (text: string) => string, string][] = [
    [
      'a count of a window',
      (text) => text.replace(/("start":"2026-11-10T06:00:00.000Z".*?"provider":)\d+/, '$129'),
      'rows[456].counted.failures is 50; the rows, exclusions and terms give 49 (the window of 2026-11-10T06:00:00.000Z)',
    ],
    [
      'a verdict',
      (text) => text.replace(/("start":"2026-11-10T06:00:00.000Z","verdict":")down/, '$1up'),
      'rows[456].verdict is "up"; the rows, exclusions and terms give "down" (the window of 2026-11-10T06:00:00.000Z)',
    ],
    [
      'the availability',
      (text) => text.replace('"display": "99.826%"', '"display": "99.926%"'),
      'figures.availability.display is "99.926%"; the rows, exclusions and terms give "99.826%"',
    ],
    [
      'a reason, which nothing follows from but the hash',
      (text) => text.replace('announced', 'unannounced'),
      'sha256 is ',
    ],
    [
      'a missing window',
      (text) => text.replace(/\n {4}\{"start":"2026-11-10T06:00.*/, ''),
      'rows are 1151, and the month has 1152 windows',
    ],
    [
      'a withdrawn exclusion that is in force again',
      (text) => text.replace(/,\s*"withdrawn": \{[^}]*\}/, ''),
      'rows[456].excludedMinutes is 0; ',
    ],
  ];
  for (const [what, alter, message] of altered) {
    it(`names ${what}`, () => {
      const text = alter(json);
      expect(text).not.toBe(json);
      const found = verifyStatement(text);
      expect(found.status).toBe('differs');
      expect('message' in found && found.message.slice(0, message.length)).toBe(message);
    });
  }

  it('notices any altered value of the CSV, whichever line it stands on', () => {
    const lines = csv.split('\r\n');
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: lines.length - 2 }),
        fc.nat(),
        fc.constantFrom('0', '9', 'x', ',', '"', ''),
        (index, position, sign) => {
          const line = lines[index]!;
          const where = position % line.length;
          const changed = `${line.slice(0, where)}${sign}${line.slice(where + 1)}`;
          const found = verifyStatement(lines.with(index, changed).join('\r\n'));
          if (found.status === 'verified')
            expect(found.statement).toEqual(JSON.parse(JSON.stringify(statement)));
          else expect(found.message).not.toBe('');
        },
      ),
      { numRuns: 150 },
    );
  });

  it('says what it was given when that is no statement', () => {
    const cases: [string, RegExp][] = [
      ['', /^it is neither a statement's CSV nor JSON/],
      ['[]', /^it is an array; a statement is a JSON object/],
      ['{"kind":"reading"}', /^kind is "reading"; a statement has "roomwatch.statement"/],
    ];
    for (const [text, message] of cases) {
      const found = verifyStatement(text);
      expect(found.status).toBe('not-a-statement');
      expect('message' in found && found.message).toMatch(message);
    }
  });

  it('names the line of a CSV that cannot be taken apart', () => {
    const lines = csv.split('\r\n');
    const cases: [string, RegExp][] = [
      [lines.with(4, 'field,service,text').join('\r\n'), /^line 5 is no field of four cells$/],
      [lines.with(4, 'field,a..b,text,x').join('\r\n'), /^line 5, a..b: is not the name of a field$/],
      [
        lines.with(4, 'field,__proto__.x,text,x').join('\r\n'),
        /^line 5, __proto__.x: is not the name of a field$/,
      ],
      [lines.with(4, lines[3]!).join('\r\n'), /^line 5, .*: stands twice or under a value$/],
      [lines.with(3, 'field,version,number,01').join('\r\n'), /^line 4, version: is no number$/],
      [lines.with(-2, 'window,2026').join('\r\n'), /^rows\[1151\], line \d+, is no window$/],
      [`${csv}"`, /^a quotation mark is out of place$/],
      [lines.slice(0, 20).join('\r\n'), /^the head of the windows is missing$/],
    ];
    for (const [text, message] of cases) {
      const found = verifyStatement(text);
      expect(found.status).toBe('differs');
      expect('message' in found && found.message).toMatch(message);
    }
  });

  it('never throws, whatever it is given', () => {
    const nested = fc.record({
      kind: fc.constant('roomwatch.statement'),
      version: fc.constant(1),
      rows: fc.jsonValue(),
      figures: fc.jsonValue(),
      terms: fc.jsonValue(),
      exclusions: fc.jsonValue(),
      service: fc.jsonValue(),
    });
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          nested.map((value) => JSON.stringify(value)),
          fc.string().map((text) => `record,name,type,value\r\n${text}`),
        ),
        (text) => {
          expect(verifyStatement(text).status).not.toBe('verified');
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('takes an altered copy with a new hash for what it says: the hash on file is the defence', () => {
    const forged: Statement = { ...statement, service: 'forged' };
    expect(verifyStatement(renderStatement(forged, 'json').body).status).toBe('verified');
    expect(statementHash(forged)).not.toBe(hash);
  });
});
