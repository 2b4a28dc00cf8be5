/** Ports of this machine that nobody listens on. */

import { connect, createServer, type Server } from 'node:net';

/** The first of so many free ones in a row; all were held at the same time, so they were free together. */
export async function freePorts(count = 1): Promise<number> {
  for (;;) {
    const held: Server[] = [];
    try {
      const first = await hold(0, held);
      for (let port = first + 1; port < first + count; port += 1) await hold(port, held);
      return first;
    } catch {
      // One of them is taken: other ones.
    } finally {
      await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))));
    }
  }
}

/** Fails as long as somebody answers there. */
export function closed(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      reject(new Error(`port ${port} still answers`));
    });
    socket.once('error', () => resolve());
  });
}

function hold(port: number, held: Server[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '0.0.0.0', () => {
      held.push(server);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
