import type { Server } from 'node:http';

/**
 * Listens, or says why not.
 * @throws with a sentence that says what to do
 */
export async function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => {
      const { code = '' } = cause;
      // The option is named, wherever the address came from: it wins over the file.
      const advice = LISTEN_ADVICE[code] ?? 'it cannot be listened on; give --listen another address';
      reject(new Error(`${host}:${port}: ${advice} (${code})`, { cause }));
    };
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

const LISTEN_ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use, maybe by another agent; stop that one, or give --listen another port',
  EACCES: 'the port is not for this user; give --listen one from 1024 up',
  EADDRNOTAVAIL: 'this machine does not have the address; give --listen one that it has',
  ENOTFOUND: 'there is no host of that name; correct --listen',
};
