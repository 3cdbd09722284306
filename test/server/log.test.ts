import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../server/log.ts';

function logged(isTTY: boolean, write: (log: ReturnType<typeof createLog>) => void): string {
  const sink = Object.assign(new PassThrough(), { isTTY });
  write(createLog('info', sink));
  return String(sink.read() ?? '');
}

describe('the log', () => {
  it('is one JSON object a line, with its level by name and the time in UTC', () => {
    const line = logged(false, (log) => log.info({ service: 'acme' }, 'a service\nwith a line break'));
    expect(line.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(line)).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      service: 'acme',
      msg: 'a service\nwith a line break',
    });
  });

  it('is a short line at a terminal', () => {
    const line = logged(true, (log) => log.warn({ service: 'acme', n: 3 }, 'the store is slow'));
    expect(line).toMatch(/^\d\d:\d\d:\d\d warn {2}the store is slow {2}service=acme n=3\n$/);
  });

  it('shows the stack of an error at a terminal, and keeps it in the JSON', () => {
    const error = new Error('it broke');
    expect(logged(true, (log) => log.error({ error }, 'failed'))).toMatch(
      /failed\s+\nError: it broke\n {4}at /,
    );
    expect(JSON.parse(logged(false, (log) => log.error({ error }, 'failed'))).error.stack).toContain(
      'it broke',
    );
  });

  it('shows no secret of an object that was logged whole', () => {
    const receiver = { name: 'on-call', password: 'hunter2', token: 'hunter2', routingKey: 'hunter2' };
    for (const isTTY of [true, false]) {
      const line = logged(isTTY, (log) => log.info({ receiver, token: 'hunter2' }, 'a receiver'));
      expect(line).not.toContain('hunter2');
      expect(line).toContain('on-call');
    }
  });

  it('says nothing below its level', () => {
    expect(logged(false, (log) => log.debug('chatter'))).toBe('');
  });
});
