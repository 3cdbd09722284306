import { connect } from 'node:net';
import { answerJobs } from './answer-jobs.ts';
import type { ReportJob, ReportResult } from './reporters.ts';

answerJobs(run);

const REGIONS = ['ap-guangzhou', 'ap-singapore', 'eu-frankfurt'] as const;

async function run({ port, connections, outcomes, forMs }: ReportJob): Promise<ReportResult> {
  const records = Array.from({ length: outcomes }, (_, i) => ({
    service: 'acme',
    result: i % 50 === 49 ? 'failed' : 'ok',
    platform: 'web-v5',
    region: REGIONS[i % REGIONS.length],
    durationMs: 100 + i,
    ...(i % 50 === 49 && { code: 5400, extraCode: -10015 }),
  }));
  const body = JSON.stringify(outcomes === 1 ? records[0] : records);
  const head = `POST /v1/outcomes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const request = Buffer.from(head + body);
  let requests = 0;
  let isOver = false;
  const sockets = Array.from({ length: connections }, () =>
    connect({ port, host: '127.0.0.1', noDelay: true }),
  );
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
  const startedAt = performance.now();
  for (const socket of sockets) {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      // One request is in flight, and its answer is one segment.
      if (!data.includes('\r\n\r\n')) return;
      if (data.indexOf('HTTP/1.1 202') !== 0) throw new Error(data.toString());
      requests += 1;
      if (!isOver) socket.write(request);
    });
    socket.write(request);
  }
  await new Promise((resolve) => setTimeout(resolve, forMs));
  const result = { requests, elapsedMs: performance.now() - startedAt };
  isOver = true;
  for (const socket of sockets) socket.destroy();
  return result;
}
