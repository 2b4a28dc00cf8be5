/** Images from a real registry: plain, with a login, with TLS, over a wire that breaks, by several at once, and killed half-way. */

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { data, environment, type Options, rootless, start } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { type Asked, type Plan, withFaults } from '../support/faults.ts';
import { busyboxRootfs, type Compression, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { type TestRegistry, withBrokenWire, withProxy, withRegistry } from '../support/registry.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox', 'registry'] as const;

/** Busybox, and above it a layer of noise of this many bytes. */
async function withImage(body: (layout: string) => Promise<void>, compression: Compression = 'gzip', noise = 3_000_000): Promise<void> {
  await withTmp(async (folder) => {
    const extra = join(folder, 'extra');
    mkdirSync(extra);
    writeFileSync(join(extra, 'noise'), randomBytes(noise));
    const layers = [tarOf(busyboxRootfs(join(folder, 'rootfs'))), tarOf(extra)];
    ociLayout(join(folder, 'layout'), layers, { Cmd: ['cat', '/etc/hostname'], Env: ['PATH=/bin', 'GREETING=hello'] }, compression);
    await body(`oci:${join(folder, 'layout')}`);
  });
}

async function run(reference: string, script: string, options?: Options, flags: readonly string[] = []): Promise<string> {
  const output = await rootless(['run', '--rm', '--network', 'none', ...flags, reference, 'sh', '-c', script], options);
  assert.is(output.code, 0, output.stderr);
  return output.stdout.trim();
}

async function refused(args: readonly string[], code: string, options?: Options): Promise<string> {
  const output = await rootless(['--debug', ...args], options);
  assert.is(output.code, 125, output.stderr);
  assert.match(output.stderr, new RegExp(`\\b${code}\\b`));
  return output.stderr;
}

/** Half-written things below the data folder. */
function leftovers(): string[] {
  return existsSync(data) ? readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.tmp-')) : [];
}

const portOf = ({ host }: TestRegistry) => Number(host.slice(host.lastIndexOf(':') + 1));

for (const compression of ['gzip', 'zstd', 'none'] as const) {
  live(`an image with ${compression} layers is pulled and run`, needs, () =>
    withImage(
      (layout) =>
        withRegistry({}, async (registry) => {
          const reference = registry.push(layout, `team/${compression}:1`);
          assert.is(await run(reference, 'echo $GREETING; stat -c %s /noise'), 'hello\n3000000');
          const images = await rootless(['images']);
          assert.match(images.stdout, new RegExp(`^${registry.host}/team/${compression} +1 `, 'm'));
          assert.is(await run(reference, 'echo again', {}, ['--pull', 'never']), 'again');
          assert.equal(leftovers(), []);
        }),
      compression,
    ),
  );
}

live('an image is run by its digest and by its id', needs, () =>
  withImage((layout) =>
    withRegistry({}, async (registry) => {
      const reference = registry.push(layout, 'x:1');
      const pulled = await rootless(['pull', reference]);
      const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pulled.stderr)?.[1];
      assert.is(await run(`${registry.host}/x@${digest}`, 'echo digest', {}, ['--pull', 'never']), 'digest');
      const id = /^\S+\/x +1 +([0-9a-f]{12})/m.exec((await rootless(['images'])).stdout)?.[1] ?? '';
      assert.is(await run(id, 'echo id', {}, ['--pull', 'never']), 'id');
    }),
  ),
);

live('a registry with a password is pulled from with the stored login, and refused without', needs, () =>
  withImage((layout) =>
    withRegistry({ basic: true }, async (registry) => {
      const reference = registry.push(layout, 'private/x:1');
      await refused(['pull', reference], 'REGISTRY_UNAUTHORIZED');
      const login = (password: string) => {
        const file = join(registry.folder, 'auth.json');
        const auth = Buffer.from(`ana:${password}`).toString('base64');
        writeFileSync(file, JSON.stringify({ auths: { [registry.host]: { auth } } }));
        return { env: { REGISTRY_AUTH_FILE: file } };
      };
      const stderr = await refused(['pull', reference], 'REGISTRY_UNAUTHORIZED', login('wr0ng'));
      assert.not.match(stderr, /wr0ng/);
      assert.is(await run(reference, 'echo in', login('secret')), 'in');
    }),
  ),
);

live('a certificate is checked when asked for, and trusted through certs.d', needs, () =>
  withImage((layout) =>
    withRegistry({ tls: true }, async (registry) => {
      const reference = registry.push(layout, 'x:1');
      await refused(['pull', '--tls-verify=true', reference], 'REGISTRY_TLS');
      trust(registry.host, registry);
      assert.is((await rootless(['pull', '-q', '--tls-verify=true', reference])).code, 0);
    }),
  ),
);

live('a registry without TLS is refused when TLS is asked for', needs, () =>
  withImage((layout) =>
    withRegistry({}, async (registry) => {
      const reference = registry.push(layout, 'x:1');
      assert.match(await refused(['pull', '--tls-verify=true', reference], 'REGISTRY_UNREACHABLE'), /TLS/);
    }),
  ),
);

live('a proxy is tunnelled through for TLS, and asked for whole URLs without', needs, () =>
  withImage(async (layout) => {
    await withRegistry({ tls: true }, async (registry) => {
      registry.push(layout, 'x:1');
      trust('registry.test', registry);
      await withProxy(portOf(registry), async (url, asked) => {
        const env = { HTTPS_PROXY: url, https_proxy: undefined, NO_PROXY: undefined, no_proxy: undefined };
        assert.is(await run('registry.test/x:1', 'echo tunnelled', { env }), 'tunnelled');
        assert.ok(asked.length > 0 && asked.every((line) => line === 'CONNECT registry.test:443'), asked.join());
      });
    });
    await withRegistry({}, async (registry) => {
      registry.push(layout, 'y:1');
      await withProxy(portOf(registry), async (url, asked) => {
        const env = { http_proxy: url, HTTPS_PROXY: url, https_proxy: undefined, NO_PROXY: undefined, no_proxy: undefined };
        const pulled = await rootless(['pull', '-q', '--tls-verify=false', 'registry.test/y:1'], { env });
        assert.is(pulled.code, 0, pulled.stderr);
        assert.ok(asked.includes('GET http://registry.test/v2/y/manifests/1'), asked.join());
      });
    });
  }),
);

live('a wire that breaks twice in a layer costs nothing but time', needs, () =>
  withImage((layout) =>
    withRegistry({}, async (registry) => {
      registry.push(layout, 'x:1');
      await withBrokenWire(portOf(registry), 1_000_000, 6, async (host) => {
        assert.is(await run(`${host}/x:1`, 'stat -c %s /noise'), '3000000');
      });
      assert.equal(leftovers(), []);
    }),
  ),
);

live('a wire that always breaks is BODY_TRUNCATED, and nothing stays', needs, () =>
  withImage((layout) =>
    withRegistry({}, async (registry) => {
      registry.push(layout, 'broken:1');
      await withBrokenWire(portOf(registry), 20_000, Number.POSITIVE_INFINITY, async (host) => {
        await refused(['pull', `${host}/broken:1`], 'BODY_TRUNCATED');
        assert.not.match((await rootless(['images'])).stdout, new RegExp(host));
      });
      assert.equal(leftovers(), []);
    }),
  ),
);

live('unknown names, tags and platforms have their own errors', needs, () =>
  withImage((layout) =>
    withRegistry({}, async (registry) => {
      const reference = registry.push(layout, 'x:1');
      await refused(['pull', `${registry.host}/nosuch`], 'IMAGE_NOT_FOUND');
      assert.match(await refused(['pull', `${registry.host}/x:2`], 'TAG_NOT_FOUND'), /it has 1$/m);
      await refused(['pull', '--platform', 'linux/s390x', reference], 'PLATFORM_NOT_FOUND');
    }),
  ),
);

live('several that start the same new image at once all run it', needs, () =>
  withImage((layout) =>
    withRegistry({}, async (registry) => {
      const reference = registry.push(layout, 'many:1');
      const outputs = await Promise.all([1, 2, 3, 4].map((number) => run(reference, `echo ${number}; stat -c %s /noise`)));
      assert.equal(outputs, ['1\n3000000', '2\n3000000', '3\n3000000', '4\n3000000']);
      assert.equal(leftovers(), []);
    }),
  ),
);

/** Layers that take a long time, so that a pull can be caught in the middle. */
const slowly = ({ url }: Asked): Plan | undefined => (url.includes('/blobs/') ? { drip: [500_000, 500] } : undefined);

live('a pull that is killed half-way leaves what the next one sweeps', needs, () =>
  withImage(
    (layout) =>
      withRegistry({}, async (registry) => {
        const reference = registry.push(layout, 'killed:1');
        await withFaults(portOf(registry), slowly, async ({ host }) => {
          const child = start(['pull', `${host}/killed:1`]);
          const ended = new Promise((resolve) => child.once('exit', resolve));
          await eventually(() => assert.ok(leftovers().some((name) => name.includes('blobs') && sizeOf(name) > 0)));
          child.kill('SIGKILL');
          await ended;
        });
        assert.ok(leftovers().length > 0);
        assert.is(await run(reference, 'stat -c %s /noise'), '60000000');
        assert.equal(leftovers(), []);
      }),
    'none',
    60_000_000,
  ),
);

live('a pull that is interrupted leaves nothing', needs, () =>
  withImage(
    (layout) =>
      withRegistry({}, async (registry) => {
        registry.push(layout, 'interrupted:1');
        await withFaults(portOf(registry), slowly, async ({ host }) => {
          const child = start(['pull', `${host}/interrupted:1`]);
          const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
          await eventually(() => assert.ok(leftovers().some((name) => name.includes('blobs') && sizeOf(name) > 0)));
          child.kill('SIGINT');
          assert.is(await ended, 130);
          assert.equal(leftovers(), []);
        });
      }),
    'none',
    60_000_000,
  ),
);

/** Puts the registry's authority where podman and docker look for that of a host. */
function trust(host: string, registry: TestRegistry): void {
  const folder = join(environment['XDG_CONFIG_HOME'] ?? '', 'containers/certs.d', host);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'ca.crt'), readFileSync(join(registry.folder, 'ca.crt')));
}

function sizeOf(name: string): number {
  return statSync(join(data, name), { throwIfNoEntry: false })?.size ?? 0;
}

live.run();
