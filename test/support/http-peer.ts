import { createServer, type IncomingHttpHeaders } from 'node:http';

export interface PeerRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly atMs: number;
}

export interface PeerAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface HttpPeer {
  readonly url: string;
  readonly port: number;
  /** In order of arrival, whatever they were answered. */
  readonly requests: PeerRequest[];
  /** How the next requests are answered; 'hang' never answers, 'reset' drops the connection. Change it while it runs. */
  answer: (request: PeerRequest) => PeerAnswer | 'hang' | 'reset';
  stop(): Promise<void>;
}

/** A real HTTP server on the loopback that keeps every request and answers as it is told. */
export async function startHttpPeer(
  answer: HttpPeer['answer'] = () => ({ status: 200 }),
  port = 0,
): Promise<HttpPeer> {
  const requests: PeerRequest[] = [];
  const state = { answer };
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const request: PeerRequest = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString('utf8'),
        atMs: Date.now(),
      };
      requests.push(request);
      const reply = state.answer(request);
      if (reply === 'hang') return;
      if (reply === 'reset') return incoming.socket.destroy();
      response.writeHead(reply.status, reply.headers ?? {}).end(reply.body ?? '');
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return Object.assign(state, {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    requests,
    stop: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}
