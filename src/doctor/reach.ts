/** What can be reached from here, found out by reaching for it: sockets, ports, name servers. Each answers the error's code, undefined when it went well. */

import { Resolver } from 'node:dns/promises';
import { connect, createServer, type NetConnectOpts } from 'node:net';

/** Milliseconds. Whoever answers at all does so in a fraction of it. */
const patience = 3_000;

/** A unix socket, or a port of a host. */
export function dial(to: NetConnectOpts): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(to);
    const end = (code: string | undefined) => {
      socket.destroy();
      resolve(code);
    };
    socket.setTimeout(patience, () => end('ETIMEDOUT'));
    socket.once('connect', () => end(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? 'EIO'));
  });
}

/** Whether this user may listen on a port of the loopback. */
export function listen(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'EIO'));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(undefined)));
  });
}

/** Silence and a closed port are failures; whatever else a name server says to a question about the root of all names is an answer. */
export async function askNameServer(address: string): Promise<string | undefined> {
  const resolver = new Resolver({ timeout: patience / 2, tries: 2 });
  try {
    resolver.setServers([address.includes(':') ? `[${address}]` : address]);
    await resolver.resolveNs('.');
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException;
    if (/^E?(TIMEOUT|CONNREFUSED|NETUNREACH|HOSTUNREACH|IO)$|INVALID_IP/.test(code)) return code;
  }
  return undefined;
}
