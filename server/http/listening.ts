import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Answers that are being given when the daemon stops have this long to end. */
const ANSWER_WITHIN_MS = 2_000;

/** @returns the port, also when the one asked for was 0 */
export function listen(server: Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Takes no more connections; those that are merely kept alive are closed, those being answered a little later. */
export async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const patience = setTimeout(() => server.closeAllConnections(), ANSWER_WITHIN_MS);
  await closed;
  clearTimeout(patience);
}

export function addressOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
