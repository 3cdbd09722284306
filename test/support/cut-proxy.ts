import { connect, createServer, type Socket } from 'node:net';

/** A TCP proxy on loopback whose connections can be cut, and whose replies can be lost, at a chosen moment. */
export interface CutProxy {
  readonly port: number;
  /** Resets every connection now. What the target has already taken stays taken. */
  cut(): void;
  /**
   * Loses the next `n` pieces of data on their way back to a client: the target has done what was asked, the
   * client never learns of it, and the connection is reset.
   */
  dropReplies(n: number): void;
  /** Loses this share of all replies from now on, in the same way. */
  dropShare(share: number, random: () => number): void;
  /** Connections from now on lead to another port; those that are open are left as they are. */
  retarget(port: number): void;
  /** While true, new connections are reset at once. */
  refuse(isRefusing: boolean): void;
  /** While true, nothing passes in either direction and nothing is closed: a network that swallows packets. */
  swallow(isSwallowing: boolean): void;
  /** Replies lost so far. */
  readonly dropped: number;
  /** Connections accepted so far. */
  readonly connections: number;
  stop(): Promise<void>;
}

export async function startCutProxy({ targetPort }: { readonly targetPort: number }): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  let port = targetPort;
  let toDrop = 0;
  let isDropped = () => false;
  let dropped = 0;
  let connections = 0;
  let isRefusing = false;
  let isSwallowing = false;

  const server = createServer((client) => {
    if (isRefusing) {
      client.resetAndDestroy();
      return;
    }
    connections += 1;
    const target = connect({ port, host: '127.0.0.1' });
    const reset = () => {
      client.resetAndDestroy();
      target.resetAndDestroy();
    };
    for (const socket of [client, target]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', reset);
      socket.on('close', () => {
        sockets.delete(socket);
        reset();
      });
    }
    client.on('data', (data) => {
      if (!isSwallowing) target.write(data);
    });
    target.on('data', (data) => {
      if (isSwallowing) return;
      if (toDrop > 0 || isDropped()) {
        toDrop = Math.max(0, toDrop - 1);
        dropped += 1;
        reset();
        return;
      }
      client.write(data);
    });
    client.on('end', () => target.end());
    target.on('end', () => client.end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');

  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: address.port,
    cut,
    dropReplies: (n) => {
      toDrop = n;
    },
    dropShare: (share, random) => {
      isDropped = () => random() < share;
    },
    retarget: (value) => {
      port = value;
    },
    refuse: (value) => {
      isRefusing = value;
    },
    swallow: (value) => {
      isSwallowing = value;
    },
    get dropped() {
      return dropped;
    },
    get connections() {
      return connections;
    },
    async stop() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
