/** Pushing over wires that break and to registries that refuse: what heals is healed without sending all again, what does not has its code. */

import { readFileSync, writeFileSync, mkdirSync, copyFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { environment, type Output, rootless } from '../support/cli.ts';
import { type Asked, type Faulty, type Plan, withFaults } from '../support/faults.ts';
import { live } from '../support/live.ts';
import { digestOf, done, refused, withLayout } from '../support/pushed.ts';
import { withProxy, withRegistry } from '../support/registry.ts';

const needs = ['userns', 'registry'] as const;

/** An image of one layer of 6 MB in the store, and a registry behind a proxy that follows the plan. */
async function scene(
  plan: (asked: Asked) => Plan | undefined,
  body: (source: string, faulty: Faulty, host: string) => Promise<void>,
): Promise<void> {
  await withLayout([6_000_000], (layout) =>
    withRegistry({}, async ({ host, port, push }) => {
      const source = push(layout, 'source/x:1');
      await done(['pull', '-q', source]);
      await withFaults(port, plan, (faulty) => body(source, faulty, host));
    }),
  );
}

/** Pushes through the proxy; what arrived must be what was sent. */
async function arrives(source: string, faulty: Faulty, host: string): Promise<Output> {
  const pushed = await done(['push', source, `${faulty.host}/y:1`]);
  await done(['rmi', '-f', source]);
  const pulled = await done(['pull', `${host}/y:1`]);
  assert.match(pulled.stderr, new RegExp(`digest: ${digestOf(pushed)}`));
  return pushed;
}

async function exists(host: string, repository: string): Promise<boolean> {
  const accept = 'application/vnd.oci.image.manifest.v1+json';
  return (await fetch(`http://${host}/v2/${repository}/manifests/1`, { headers: { accept } })).ok;
}

const patches = ({ log }: Faulty) => log.filter((line) => line.startsWith('PATCH'));

live('an upload that is cut twice arrives', needs, () =>
  scene(
    ({ method, count }) => (method === 'PATCH' && count <= 2 ? { cutRequest: 2_000_000 } : undefined),
    async (source, faulty, host) => {
      await arrives(source, faulty, host);
      // Where it went on is this registry's choice: its uploads do not survive a request that is cut. A unit test has one whose do.
      assert.ok(patches(faulty).length >= 3, faulty.log.join('\n'));
      assert.ok(faulty.log.some((line) => line.startsWith('GET') && line.includes('/uploads/')));
    },
  ),
);

live('an answer that is lost costs a question, not another upload', needs, () =>
  scene(
    ({ method, url, count }) => (method === 'PUT' && url.includes('/uploads/') && count === 1 ? { loseAnswer: true } : undefined),
    async (source, faulty, host) => {
      await arrives(source, faulty, host);
      assert.is(patches(faulty).length, 1, faulty.log.join('\n'));
    },
  ),
);

live('a registry that fails and recovers is waited for at every step', needs, () =>
  scene(
    ({ count, method }) => (count === 1 && method !== 'GET' ? { status: 503, headers: { 'retry-after': '0' } } : undefined),
    async (source, faulty, host) => {
      await arrives(source, faulty, host);
      assert.ok(faulty.log.filter((line) => /^PUT .*\/manifests\//.test(line)).length === 2, faulty.log.join('\n'));
    },
  ),
);

live('a proxy that limits the size of requests gets parts', needs, () =>
  scene(
    ({ method, headers }) =>
      method === 'PATCH' && Number(headers['content-length']) > 2_500_000 ? { status: 413, headers: { connection: 'close' } } : undefined,
    async (source, faulty, host) => {
      await arrives(source, faulty, host);
      const sent = patches(faulty).flatMap((line) => / ([0-9]+-[0-9]+)$/.exec(line)?.[1] ?? []);
      assert.ok(sent.length >= 3, faulty.log.join('\n'));
    },
  ),
);

live('parts are no smaller than the registry wants them', needs, () =>
  scene(
    ({ method, url, headers }) => {
      if (method === 'POST' && url.includes('/uploads/')) return { headers: { 'oci-chunk-min-length': '4000000' } };
      return method === 'PATCH' && Number(headers['content-length']) > 5_000_000 ? { status: 413 } : undefined;
    },
    async (source, faulty, host) => {
      await arrives(source, faulty, host);
      assert.ok(
        patches(faulty).some((line) => line.endsWith(' 0-3999999')),
        faulty.log.join('\n'),
      );
    },
  ),
);

live('bytes that are damaged once are sent again; twice is DIGEST_MISMATCH, and the tag is not made', needs, async () => {
  const spoil = (times: number) => (asked: Asked) =>
    asked.method === 'PATCH' && asked.count <= times ? ({ damageRequest: true } as const) : undefined;
  await scene(spoil(1), async (source, faulty, host) => {
    await arrives(source, faulty, host);
  });
  await scene(spoil(100), async (source, faulty, host) => {
    await refused(['push', source, `${faulty.host}/y:1`], 'DIGEST_MISMATCH');
    assert.not.ok(await exists(host, 'y'));
  });
});

live('an upload that breaks every time is given up after five attempts', needs, () =>
  scene(
    ({ method }) => (method === 'PATCH' ? { cutRequest: 1000 } : undefined),
    async (source, faulty) => {
      await refused(['push', source, `${faulty.host}/y:1`], 'REGISTRY_UNREACHABLE');
      assert.is(patches(faulty).length, 5, faulty.log.join('\n'));
    },
  ),
);

for (const [status, code, body] of [
  [403, 'REGISTRY_DENIED', 'DENIED'],
  [405, 'REGISTRY_READONLY', 'UNSUPPORTED'],
  [429, 'REGISTRY_RATE_LIMITED', 'TOOMANYREQUESTS'],
  [400, 'REGISTRY_FAILED', 'NAME_INVALID'],
] as const) {
  live(`${status} for an upload is ${code}, with the registry's own words`, needs, () =>
    scene(
      ({ method }) =>
        method === 'POST'
          ? {
              status,
              headers: { 'retry-after': '900' },
              body: Buffer.from(JSON.stringify({ errors: [{ code: body, message: 'because' }] })),
            }
          : undefined,
      async (source, faulty) => {
        const said = await refused(['push', source, `${faulty.host}/y:1`], code);
        assert.match(said, status === 429 ? /900/ : new RegExp(`why: ${body}: because`));
      },
    ),
  );
}

live('a manifest that the registry does not take is MANIFEST_REFUSED', needs, () =>
  scene(
    ({ method, url }) =>
      method === 'PUT' && url.includes('/manifests/')
        ? { status: 400, body: Buffer.from('{"errors":[{"code":"MANIFEST_INVALID","message":"OCI? never heard of it"}]}') }
        : undefined,
    async (source, faulty) => {
      assert.match(await refused(['push', source, `${faulty.host}/y:1`], 'MANIFEST_REFUSED'), /never heard of it/);
    },
  ),
);

live('a push goes through proxies, tunnelled for TLS, and shows its certificate', needs, () =>
  withLayout([3_000_000], async (layout) => {
    await withRegistry({}, async ({ port, host, push }) => {
      const source = push(layout, 'x:1');
      await done(['pull', '-q', source]);
      await withProxy(port, async (url, asked) => {
        const env = { http_proxy: url, HTTPS_PROXY: url, https_proxy: undefined, NO_PROXY: undefined, no_proxy: undefined };
        await done(['push', '--tls-verify=false', source, 'registry.test/through:1'], { env });
        assert.ok(
          asked.some((line) => line.startsWith('PATCH http://registry.test/v2/through/blobs/uploads/')),
          asked.join('\n'),
        );
        const direct = await rootless(['push', '--tls-verify=false', source, 'registry.test/y:1'], { env: { ...env, NO_PROXY: '.test' } });
        assert.is(direct.code, 125);
        assert.match(direct.stderr, /cannot reach registry/);
      });
      assert.ok((await exists(host, 'through')) && !(await exists(host, 'y')));
      await withRegistry({ clientCertificate: true }, async ({ host: locked, port: door, folder }) => {
        const certs = join(environment['XDG_CONFIG_HOME'] ?? '', 'docker/certs.d', 'registry.test');
        mkdirSync(certs, { recursive: true });
        copyFileSync(join(folder, 'ca.crt'), join(certs, 'ca.crt'));
        await withProxy(door, async (url, asked) => {
          const env = { HTTPS_PROXY: url, https_proxy: undefined, NO_PROXY: undefined, no_proxy: undefined };
          assert.match(await refused(['push', source, 'registry.test/tls:1'], 'REGISTRY_TLS', { env }), /client\.cert/);
          for (const name of ['client.cert', 'client.key']) {
            writeFileSync(join(certs, name), readFileSync(join(folder, name === 'client.cert' ? 'server.crt' : 'server.key')));
          }
          await done(['push', source, 'registry.test/tls:1'], { env });
          assert.ok(
            asked.every((line) => line === 'CONNECT registry.test:443'),
            asked.join('\n'),
          );
        });
        await done(['push', '--cert-dir', certs, source, `${locked}/dir:1`]);
      });
    });
  }),
);

live('an address that leads an upload away gets no login', needs, () =>
  withLayout([3_000_000], (layout) =>
    withRegistry({ basic: true }, async ({ port, push }) => {
      const source = push(layout, 'x:1');
      const seen: (string | undefined)[] = [];
      await withFaults(
        port,
        ({ headers }) => {
          seen.push(headers.authorization);
          return { status: 202, headers: { location: '/nowhere', range: '0-1' } };
        },
        async (elsewhere) => {
          const lead = ({ method, url }: Asked): Plan | undefined =>
            method === 'POST' && url.includes('/uploads/') ? { headers: { location: `http://${elsewhere.host}/up` } } : undefined;
          await withFaults(port, lead, async (faulty) => {
            const creds = ['--creds', 'ana:secret'];
            await done(['pull', '-q', ...creds, source]);
            const pushed = await rootless(['push', ...creds, source, `${faulty.host}/y:1`]);
            assert.is(pushed.code, 125);
          });
        },
      );
      assert.ok(seen.length > 0);
      assert.equal([...new Set(seen)], [undefined]);
    }),
  ),
);

live.run();
