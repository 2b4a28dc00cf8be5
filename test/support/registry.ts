/** A real registry (Debian's docker-registry) on a free port of loopback, with its images pushed by skopeo. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { eventually } from './eventually.ts';
import { freePorts } from './ports.ts';
import { tokenAuth, type TokenOptions, type TokenServer, withTokenServer } from './token-server.ts';
import { withTmp } from './tmp.ts';

export type RegistryOptions = {
  /** Every request needs the user ana with the password secret. */
  readonly basic?: boolean;
  /** HTTPS with a certificate of its own authority. */
  readonly tls?: boolean;
  /** HTTPS, and only for those who show a certificate of that authority. */
  readonly clientCertificate?: boolean;
  /** Tokens of a server of the tests: ana with the password secret may do everything, strangers may pull what is below public/. */
  readonly tokens?: TokenOptions;
};

export type TestRegistry = {
  readonly host: string;
  /** A folder of this registry's test, with `ca.crt` when it has TLS. */
  readonly folder: string;
  readonly port: number;
  /** What the token server was asked. */
  readonly asked: readonly string[];
  /** Copies `oci:DIR` there under NAME:TAG; returns the whole reference. */
  push(layout: string, name: string): string;
  /** The same for a registry with tokens: the token server is in this process, which must not stand still meanwhile. */
  pushWithToken(layout: string, name: string): Promise<string>;
};

/** ana:secret, hashed by bcrypt with the least work. */
const htpasswd = 'ana:$2b$04$4Z73wWzII3XLJzCfKDyglOmOmXnVi/We7dsLanmqCNMB8X6MzkkP6\n';

export function withRegistry(options: RegistryOptions, body: (registry: TestRegistry) => Promise<void>): Promise<void> {
  return withTmp(async (folder) => {
    if (options.tls || options.tokens || options.clientCertificate) certify(folder);
    if (options.tokens === undefined) return serve(folder, options, undefined, body);
    await withTokenServer(folder, options.tokens, (tokens) => serve(folder, options, tokens, body));
  });
}

async function serve(
  folder: string,
  options: RegistryOptions,
  tokens: TokenServer | undefined,
  body: (registry: TestRegistry) => Promise<void>,
): Promise<void> {
  const port = await freePorts();
  const host = `localhost:${port}`;
  const child = start(folder, port, options, tokens);
  try {
    await eventually(() => answers(port));
    await body({
      host,
      port,
      folder,
      asked: tokens?.asked ?? [],
      push: (layout, name) => {
        const run = spawnSync('skopeo', pushing(host, layout, name, options), { encoding: 'utf8' });
        assert.is(run.status, 0, run.stderr);
        return `${host}/${name}`;
      },
      pushWithToken: async (layout, name) => {
        const code = await new Promise((resolve) => {
          spawn('skopeo', pushing(host, layout, name, options), { stdio: 'inherit' }).once('close', resolve);
        });
        assert.is(code, 0);
        return `${host}/${name}`;
      },
    });
  } finally {
    child.kill('SIGKILL');
  }
}

/**
 * A wire in front of a server that breaks: each of the first `times` connections ends after `bytes` of what the server sends.
 * Passes `host` of the wire.
 */
export async function withBrokenWire(port: number, bytes: number, times: number, body: (host: string) => Promise<void>): Promise<void> {
  let left = times;
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    let allowed = left-- > 0 ? bytes : Number.POSITIVE_INFINITY;
    near.pipe(far);
    far.on('data', (chunk: Buffer) => {
      if (allowed <= 0) return;
      near.write(chunk.subarray(0, allowed));
      allowed -= chunk.length;
      if (allowed <= 0) near.destroySoon();
    });
    far.on('end', () => near.end());
    for (const socket of [near, far]) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await body(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

/** An HTTP proxy that knows one name, `registry.test`, and leads it to a port of loopback. Passes its URL and what it was asked. */
export async function withProxy(port: number, body: (url: string, asked: readonly string[]) => Promise<void>): Promise<void> {
  const asked: string[] = [];
  const server = createHttpServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const { pathname, search } = new URL(request.url ?? '');
    const onward = httpRequest(
      { port, host: '127.0.0.1', method: request.method, path: pathname + search, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request, near) => {
    asked.push(`CONNECT ${request.url}`);
    const far = connect(port, '127.0.0.1', () => near.write('HTTP/1.1 200 OK\r\n\r\n'));
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => far.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await body(`http://ana:secret@127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function start(folder: string, port: number, options: RegistryOptions, tokens: TokenServer | undefined): ChildProcess {
  const { basic = false, tls = false, clientCertificate = false } = options;
  mkdirSync(join(folder, 'registry'));
  writeFileSync(join(folder, 'htpasswd'), htpasswd);
  const authorities = clientCertificate ? { clientcas: [join(folder, 'ca.crt')] } : {};
  const pair = { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') };
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'registry') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}`, ...((tls || clientCertificate) && { tls: { ...pair, ...authorities } }) },
    ...(basic && { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } }),
    ...(tokens && { auth: tokenAuth(tokens.realm, join(folder, 'server.crt')) }),
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(config));
  return spawn('docker-registry', ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
}

/** An authority, and a certificate for localhost that it signed. */
function certify(folder: string): void {
  const openssl = (...args: readonly string[]) => {
    const run = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    assert.is(run.status, 0, run.stderr);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=test authority', '-days', '2');
  const names = ['-addext', 'subjectAltName=DNS:localhost,DNS:registry.test,IP:127.0.0.1', '-addext', 'basicConstraints=CA:FALSE'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'server.key',
    '-out',
    'server.crt',
    '-subj',
    '/CN=localhost',
    '-days',
    '2',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    ...names,
  );
}

function pushing(host: string, layout: string, name: string, { basic = false, tokens }: RegistryOptions): string[] {
  const login = basic || tokens ? ['--dest-creds', 'ana:secret'] : [];
  const flags = ['--insecure-policy', '-q', '--preserve-digests', '--dest-tls-verify=false', ...login];
  return ['copy', ...flags, layout, `docker://${host}/${name}`];
}

function answers(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
