import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runAgent } from '../../agent/cli.ts';
import { AGENT_VERSION } from '../../agent/version.ts';
import { startEdge } from '../support/daemon-edge.ts';
import { booksOf } from '../support/edges.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Peer, startPeer } from './peer.ts';
import { temporaryFolder } from './spool/spool-folder.ts';

let folder: string;
let peer: Peer;

beforeEach(async () => {
  folder = await temporaryFolder();
  peer = await startPeer();
});

afterEach(async () => {
  await peer.stop();
  await rm(folder, { recursive: true, force: true });
});

interface Run {
  readonly code: Promise<number>;
  readonly stop: AbortController;
  out(): string;
  err(): string;
}

function run(
  args: readonly string[],
  { stdin = '', env = {} }: { stdin?: string | Readable; env?: object } = {},
): Run {
  const stop = new AbortController();
  const text = { out: '', err: '' };
  const collect = (name: 'out' | 'err') => {
    const stream = new PassThrough();
    stream.on('data', (chunk) => {
      text[name] += chunk;
    });
    return stream;
  };
  const code = runAgent(args, {
    stdin: typeof stdin === 'string' ? Readable.from([Buffer.from(stdin)]) : stdin,
    stdout: collect('out'),
    stderr: collect('err'),
    env: { ROOMWATCH_TOKEN: 'token', ...env },
    cwd: folder,
    signal: stop.signal,
  });
  return { code, stop, out: () => text.out, err: () => text.err };
}

const ok = JSON.stringify({ result: 'ok' });

describe('the command line', () => {
  it('helps and names its version on standard output', async () => {
    const help = run(['--help']);
    expect(await help.code).toBe(0);
    expect(help.out()).toMatch(/^roomwatch-agent: .*\n\nusage:/);
    const version = run(['--version']);
    expect(await version.code).toBe(0);
    expect(version.out()).toBe(`${AGENT_VERSION}\n`);
    expect(AGENT_VERSION).toMatch(/^\d+\.\d+\.\d+/);
    const simulate = run(['simulate', '--help']);
    expect(await simulate.code).toBe(0);
    expect(simulate.out()).toMatch(/--incident FROM\.\.TO:SHARE/);
  });

  it('exits with 2 and a sentence for bad usage', async () => {
    const faults = [
      [['--no-such-option'], /Unknown option/],
      [['--service', 'not a name'], /--service not a name: use 1 to 64 letters/],
      [['--server', 'http://daemon'], /--server http:\/\/daemon: write a URL such as ws:/],
      [['--server', 'ws://user:pass@daemon'], /write a URL such as/],
      [['--listen', 'nowhere'], /--listen nowhere: write HOST:PORT/],
      [['--listen', 'localhost:70000'], /--listen localhost:70000: write HOST:PORT/],
      [['--wait', 'long'], /--wait long: write whole seconds/],
      [['--follow', 'app.log.1.gz'], /--follow app.log.1.gz is compressed; name the file that grows/],
      [Array.from({ length: 17 }, (_, i) => `--follow=${i}.log`), /--follow is given 17 files, and the most/],
      [['simulate', '--rate', 'x'], /--rate x: write a number/],
    ] as const;
    for (const [args, message] of faults) {
      const ran = run(args);
      expect(await ran.code).toBe(2);
      expect(ran.err()).toMatch(message);
      expect(ran.out()).toBe('');
    }
  });

  it('names every fault of a configuration at once, with its line', async () => {
    const lines = [
      'server: http://x',
      'services: [acme, "not a name"]',
      'sevice: acme',
      'spool: { maxBytes: 5 }',
      'follow: [a.log, z.log.gz]',
    ];
    await writeFile(join(folder, 'agent.yml'), lines.join('\n'));
    const ran = run(['--config', 'agent.yml']);
    expect(await ran.code).toBe(2);
    expect(ran.err()).toMatch(/CONFIG_INVALID: agent\.yml:1 server is .*write a URL/);
    expect(ran.err()).toMatch(/agent\.yml:2 services\[1\] is .*a service is 1 to 64 letters/);
    expect(ran.err()).toMatch(/agent\.yml:3 sevice is not a known key/);
    expect(ran.err()).toMatch(/agent\.yml:4 spool\.maxBytes is 5; write 1048576 or more/);
    expect(ran.err()).toMatch(/agent\.yml:5 follow\[1\] .*is compressed; name the file that grows/);
    const missing = run(['--config', 'nowhere.yml']);
    expect(await missing.code).toBe(2);
    expect(missing.err()).toMatch(/nowhere\.yml cannot be read \(ENOENT\)/);
  });

  it('says that the port is taken, or that the address is not to be had, and names the option', async () => {
    const faults = [
      [
        `127.0.0.1:${peer.port}`,
        /127\.0\.0\.1:\d+: the port is in use.*give --listen another port \(EADDRINUSE\)/,
      ],
      ['192.0.2.1:9471', /192\.0\.2\.1:9471: this machine does not have the address; give --listen one/],
    ] as const;
    for (const [address, sentence] of faults) {
      const ran = run(['--server', peer.url, '--service', 'acme', '--listen', address]);
      expect(await ran.code).toBe(2);
      expect(ran.err()).toMatch(sentence);
    }
  });
});

describe('--stdin', () => {
  it('reads to the end, waits until all is counted and exits with 0', async () => {
    const ran = run(['--stdin', '--server', peer.url, '--service', 'acme'], {
      stdin: `${ok}\n`.repeat(1_000),
    });
    expect(await ran.code).toBe(0);
    expect(peer.totals().ok).toBe(1_000);
  });

  it('counts and names bad lines, and goes on', async () => {
    const ran = run(['--stdin', '--server', peer.url, '--service', 'acme'], {
      stdin: `${ok}\nnot json\n\n{"result":"ok","service":"-"}\n${ok}`,
    });
    expect(await ran.code).toBe(0);
    expect(peer.totals().ok).toBe(2);
    expect(ran.err()).toMatch(/"place":"line 2","code":"OUTCOME_NOT_JSON"/);
    expect(ran.err()).toMatch(/"place":"line 4","code":"OUTCOME_FIELD_INVALID"/);
    expect(ran.err()).toMatch(/"rejected":2,"endedInLine":true/);
  });

  it('exits with 1 when the daemon is away, and the next run delivers', async () => {
    peer.refusal = { status: 503 };
    const away = run(['--stdin', '--wait', '0', '--server', peer.url, '--service', 'acme'], {
      stdin: `${ok}\n`,
    });
    expect(await away.code).toBe(1);
    expect(away.err()).toMatch(/the rest waits in the spool/);
    peer.refusal = undefined;
    const back = run(['--stdin', '--server', peer.url, '--service', 'acme'], { stdin: `${ok}\n` });
    expect(await back.code).toBe(0);
    expect(peer.totals().ok).toBe(2);
  });

  it('does not look done when the token does not cover a service of its lines', async () => {
    const edge = await startEdge({
      tokens: [{ token: 'token', grant: { agentLabel: 'a', services: new Set(['acme']) } }],
    });
    try {
      const stdin = [ok, '{"service":"globex","result":"ok","count":40}', ok].join('\n');
      const server = `ws://127.0.0.1:${edge.port}`;
      const ran = run(['--stdin', '--server', server, '--service', 'acme'], { stdin });
      expect(await ran.code).toBe(1);
      expect(ran.err()).toMatch(/up to 40 outcomes are not counted: the token does not cover their services/);
      expect(ran.err()).not.toMatch(/all counted/);
      expect((await booksOf(edge, 'acme')).tallies[0]).toBe(2);
    } finally {
      await edge.stop();
    }
  });

  it('keeps what it read when it is stopped, and does not look done', async () => {
    const stdin = new PassThrough();
    const ran = run(['--stdin', '--server', peer.url, '--service', 'acme'], { stdin });
    stdin.write(`${ok}\n${ok}\n{"result":`);
    await waitFor('the lines to be counted', () => peer.totals().ok === 2);
    ran.stop.abort();
    expect(await ran.code).toBe(1);
    expect(ran.err()).toMatch(
      /stopped before the end of the input: its first 2 lines are counted; give it the/,
    );
    expect(ran.err()).not.toMatch(/all counted/);
  });

  it('exits with 1 and says how many lines were taken when its input breaks off', async () => {
    async function* broken() {
      yield Buffer.from(`${ok}\n${ok}\n${ok}\n{"result":`);
      throw new Error('the pipe is broken');
    }
    const stdin = Readable.from(broken());
    const ran = run(['--stdin', '--server', peer.url, '--service', 'acme'], { stdin });
    expect(await ran.code).toBe(1);
    expect(peer.totals().ok).toBe(3);
    expect(ran.err()).toMatch(/"linesTaken":3,"isFlushed":true,"error":"the pipe is broken"/);
    expect(ran.err()).toMatch(/the input broke off: its first 3 lines are counted/);
    expect(ran.err()).not.toMatch(/all counted/);
  });

  it('says of a stopped run whose daemon is away that its lines wait', async () => {
    peer.refusal = { status: 503 };
    const stdin = new PassThrough();
    const args = [
      '--stdin',
      '--wait',
      '0',
      '--server',
      peer.url,
      '--service',
      'acme',
      '--listen',
      '127.0.0.1:0',
    ];
    const ran = run(args, { stdin });
    const url = await waitFor('the address', () => /"url":"([^"]+)"/.exec(ran.err())?.[1]);
    stdin.write(`${ok}\n`);
    await waitFor('the line to be taken', async () => {
      const text = await (await fetch(url.replace('/v1/outcomes', '/metrics'))).text();
      return text.includes('outcomes_accepted_total{source="stdin"} 1');
    });
    ran.stop.abort();
    expect(await ran.code).toBe(1);
    expect(ran.err()).toMatch(/its first 1 lines wait in the spool/);
  });
});

describe('the agent as a service', () => {
  it('listens, takes outcomes and stops with 0 when told', async () => {
    const ran = run(['--server', peer.url, '--service', 'acme', '--listen', '127.0.0.1:0']);
    const url = await waitFor('the address', () => /"url":"([^"]+)"/.exec(ran.err())?.[1]);
    const response = await fetch(url, { method: 'POST', body: ok });
    expect(response.status).toBe(202);
    ran.stop.abort();
    expect(await ran.code).toBe(0);
    expect(peer.totals().ok).toBe(1);
  });

  it('finds the token that a daemon beside it made, also when that comes later', async () => {
    const args = ['--server', peer.url, '--service', 'acme', '--listen', '127.0.0.1:0'];
    const ran = run(args, { env: { ROOMWATCH_TOKEN: undefined } });
    await waitFor('the first try', () => ran.err().includes('there is no token; set ROOMWATCH_TOKEN'));
    await mkdir(join(folder, 'data'), { recursive: true });
    await writeFile(join(folder, 'data/agent-token'), 'made-by-the-daemon\n');
    await waitFor('a connection', () => peer.hellos.length > 0);
    expect(peer.authorizations).toEqual(['Bearer made-by-the-daemon']);
    ran.stop.abort();
    expect(await ran.code).toBe(0);
  });

  it('takes an empty ROOMWATCH_TOKEN for none, and goes on to the token of the file', async () => {
    await writeFile(join(folder, 'token'), 'from-a-file\n');
    for (const line of ['tokenFile: token', 'token: from-a-file']) {
      await writeFile(join(folder, 'agent.yml'), `server: ${peer.url}\nservices: [acme]\n${line}\n`);
      const args = ['--config', 'agent.yml', '--listen', '127.0.0.1:0'];
      const ran = run(args, { env: { ROOMWATCH_TOKEN: '' } });
      await waitFor('a connection', () => peer.authorizations.length > 0);
      expect(peer.authorizations.splice(0)).toEqual(['Bearer from-a-file']);
      ran.stop.abort();
      expect(await ran.code).toBe(0);
    }
  });

  it.each([
    [
      'two lines',
      'old-token\nnew-token\n',
      /the token file .*token has more than one line; write the token into it/,
    ],
    [
      'a quotation mark of a word processor',
      '\u201Csecret\u201D',
      /no token has \(U\+201C\); write the token/,
    ],
    ['bytes that are not UTF-8', Buffer.from([0x61, 0xe9]), /no token has \(U\+FFFD\)/],
    ['a space', 'Bearer secret', /no token has \(U\+0020\)/],
    ['nothing', ' \n', /the token file .*token is empty; write the token into it/],
  ])('says of a token file with %s what is wrong and where', async (_, text, sentence) => {
    await writeFile(join(folder, 'token'), text);
    const args = [
      '--server',
      peer.url,
      '--service',
      'acme',
      '--listen',
      '127.0.0.1:0',
      '--token-file',
      'token',
    ];
    const ran = run(args);
    await waitFor('the sentence', () => sentence.test(ran.err()));
    expect(ran.err()).not.toMatch(/secret|new-token/);
    ran.stop.abort();
    expect(await ran.code).toBe(0);
  });

  it('takes its settings from a file, its token file beside it, and options over both', async () => {
    await writeFile(join(folder, 'token'), 'from-a-file\n');
    const lines = [
      `server: ${peer.url}`,
      'tokenFile: token',
      'services: [acme, globex]',
      'service: globex',
      'listen: { port: 0 }',
      'spool: { directory: here }',
      'agentId: edge-1',
      'causes: [{ platform: mine, code: 7, attribution: customer }]',
    ];
    await writeFile(join(folder, 'agent.yml'), lines.join('\n'));
    const ran = run(['--config', 'agent.yml', '--service', 'initech'], {
      env: { ROOMWATCH_TOKEN: undefined },
    });
    await waitFor('a connection', () => peer.hellos.length > 0);
    expect(peer.hellos[0]).toMatchObject({ services: ['initech', 'acme', 'globex'], agentId: 'edge-1' });
    expect(peer.authorizations).toEqual(['Bearer from-a-file']);
    ran.stop.abort();
    expect(await ran.code).toBe(0);
  });

  it('keeps its spool under the host id of the option, then of the environment, then of the file', async () => {
    await writeFile(join(folder, 'agent.yml'), 'spool: { hostId: file }');
    const once = async (args: readonly string[], env: object) => {
      const common = ['--config', 'agent.yml', '--stdin', '--server', peer.url, '--service', 'acme'];
      expect(await run([...common, ...args], { env, stdin: `${ok}\n` }).code).toBe(0);
      return peer.hellos.at(-1)?.producerId;
    };
    const byFile = await once([], { ROOMWATCH_HOST_ID: '' });
    expect(await once([], { ROOMWATCH_HOST_ID: 'file' })).toBe(byFile);
    expect(await once(['--host-id', 'file'], { ROOMWATCH_HOST_ID: 'other' })).toBe(byFile);
    expect(await once([], { ROOMWATCH_HOST_ID: 'other' })).not.toBe(byFile);
    expect(peer.totals()).toEqual({ ok: 4, failed: 0, lost: 0 });
  });

  it('says who holds the spool', async () => {
    const args = ['--server', peer.url, '--service', 'acme', '--listen', '127.0.0.1:0'];
    const first = run(args);
    await waitFor('the first agent', () => first.err().includes('listening'));
    const second = run(args);
    expect(await second.code).toBe(1);
    expect(second.err()).toMatch(
      /is in use by process \d+ on .*; stop that agent or give this one a directory/,
    );
    first.stop.abort();
    expect(await first.code).toBe(0);
  });
});

describe('simulate', () => {
  it('delivers a simulated day as fast as it can, with every minute marked', async () => {
    const args = '--from 2026-06-02T00:00Z --to 2026-06-03T00:00Z --speed max --rate 2 --script 2026-06-02';
    const ran = run(['simulate', ...args.split(' '), '--server', peer.url]);
    expect(await ran.code).toBe(0);
    const { ok, failed, lost } = peer.totals();
    expect(lost).toBe(0);
    expect(Math.abs((ok + failed) / (2 * 86_400) - 1)).toBeLessThan(0.02);
    const batches = [...peer.books.values()].flat().filter((frame) => frame.type === 'batch');
    const minutes = new Set(batches.flatMap(({ cells }) => cells.map(({ minute }) => minute)));
    expect(minutes.size).toBe(1_440);
  });

  it('marks the agent alive in minutes in which nobody calls', async () => {
    const args = '--from 2026-06-02T00:00Z --to 2026-06-02T01:00Z --speed max --rate 0';
    const ran = run(['simulate', ...args.split(' '), '--server', peer.url]);
    expect(await ran.code).toBe(0);
    const batches = [...peer.books.values()].flat().filter((frame) => frame.type === 'batch');
    const first = Date.UTC(2026, 5, 2) / 60_000;
    const marked = batches.filter(({ alive }) => alive.includes('demo')).map(({ minute }) => minute);
    expect(new Set(marked)).toEqual(new Set(Array.from({ length: 60 }, (_, i) => first + i)));
  });

  it('goes on live once it has caught up', async () => {
    const from = new Date(Date.now() - 600_000).toISOString();
    const args = ['--from', from, '--to', 'now', '--live', '--speed', '600', '--rate', '50'];
    const ran = run(['simulate', ...args, '--server', peer.url]);
    const minuteNow = () => Math.floor(Date.now() / 60_000);
    await waitFor('outcomes of this minute', () => {
      const batches = [...peer.books.values()].flat().filter((frame) => frame.type === 'batch');
      return batches.some(({ cells }) =>
        cells.some(({ minute }) => minute >= minuteNow() - 1 && minute <= minuteNow()),
      );
    });
    ran.stop.abort();
    expect(await ran.code).toBe(0);
  });

  it('writes NDJSON to standard output, and nothing else', async () => {
    const args = '--from 2026-06-02T00:00Z --to 2026-06-02T00:02Z --rate 1 --out -';
    const ran = run(['simulate', ...args.split(' ')]);
    expect(await ran.code).toBe(0);
    const lines = ran
      .out()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(100);
    expect(lines[0]).toMatchObject({ service: 'demo', at: '2026-06-02T00:00:00.000Z', result: 'ok' });
  });

  it('exits with 1 and a sentence when its file cannot be written, however much there is to write', async () => {
    for (const rate of [0.001, 50]) {
      const args = `--from 2026-06-02T00:00Z --to 2026-06-02T03:00Z --rate ${rate} --out nowhere/x`;
      const ran = run(['simulate', ...args.split(' ')]);
      expect(await ran.code).toBe(1);
      expect(ran.err()).toMatch(
        /^roomwatch-agent simulate: nowhere\/x cannot be written \(ENOENT.*; create its folder/,
      );
    }
  });
});
