/** Images into a real registry: with equal digests, each layer at most once, in the compression that is asked for. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { data, rootless } from '../support/cli.ts';
import { type Asked, withFaults } from '../support/faults.ts';
import { busyboxRootfs, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { digestOf, done, refused, withLayout } from '../support/pushed.ts';
import { withRegistry } from '../support/registry.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox', 'registry'] as const;

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

type Manifest = {
  readonly mediaType?: string;
  readonly layers: readonly { readonly mediaType: string; readonly digest: string; readonly size: number }[];
  readonly manifests?: readonly { readonly digest: string; readonly platform: { readonly architecture: string } }[];
};

function skopeo(...args: readonly string[]): string {
  const run = spawnSync('skopeo', args, { encoding: 'utf8' });
  assert.is(run.status, 0, run.stderr);
  return run.stdout;
}

const raw = (reference: string) => JSON.parse(skopeo('inspect', '--raw', '--tls-verify=false', `docker://${reference}`)) as Manifest;

live('what is pushed has the digest it was pulled with, and is sent once', needs, () =>
  withLayout([2_000_000, 10_000], (layout) =>
    withRegistry({}, async ({ host, push }) => {
      const source = push(layout, 'a/x:1');
      await done(['pull', source]);
      const first = await done(['push', source, `${host}/b/y:2`]);
      const before = skopeo('inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${source}`).trim();
      assert.is(digestOf(first), before);
      assert.match(first.stderr, /push refers to repository \[localhost:[0-9]+\/b\/y\]/);
      assert.is(first.stderr.match(/: Mounted from a\/x$/gm)?.length, 2, first.stderr);
      const second = await done(['push', source, `${host}/b/y:3`]);
      assert.is(second.stderr.match(/: Layer already exists$/gm)?.length, 2, second.stderr);
      assert.is(digestOf(second), before);
      assert.is((await done(['push', '-q', source, `${host}/b/y:4`])).stdout, `${host}/b/y:4\n`);
    }),
  ),
);

live('layers go to another registry whole, and skopeo, podman and buildah pull them', needs, () =>
  withTmp(async (folder) => {
    const layers = [tarOf(busyboxRootfs(join(folder, 'rootfs')))];
    const layout = `oci:${ociLayout(join(folder, 'layout'), layers, { Cmd: ['echo', 'pushed'], Env: ['PATH=/bin'] })}`;
    await withRegistry({}, ({ push }) =>
      withRegistry({}, async ({ host }) => {
        const source = push(layout, 'x:1');
        await done(['pull', source]);
        const target = `${host}/peers/x:1`;
        const pushed = await done(['push', source, target]);
        assert.match(pushed.stderr, /: Pushed$/m);
        const digest = digestOf(pushed);
        skopeo('copy', '-q', '--insecure-policy', '--src-tls-verify=false', `docker://${target}`, `dir:${join(folder, 'dir')}`);
        assert.is(readFileSync(join(folder, 'dir/manifest.json')).length, Number(/size: ([0-9]+)/.exec(pushed.stdout)?.[1]));
        for (const program of ['podman', 'buildah']) {
          const storage = ['--root', join(folder, program), '--runroot', join(folder, `${program}-run`), '--storage-driver', 'vfs'];
          const run = spawnSync(program, [...storage, 'pull', '-q', '--tls-verify=false', `${host}/peers/x@${digest}`], {
            encoding: 'utf8',
          });
          assert.is(run.status, 0, run.stderr);
          spawnSync(program, ['unshare', 'rm', '-rf', join(folder, program), join(folder, `${program}-run`)]);
        }
        assert.is((await done(['run', '--rm', '--network', 'none', '--pull', 'always', target])).stdout, 'pushed\n');
      }),
    );
  }),
);

live('layers that are not compressed are compressed once; another format is made on demand', needs, () =>
  withLayout(
    [3_000_000],
    (layout) =>
      withRegistry({}, async ({ host, push }) => {
        const source = push(layout, 'plain:1');
        await done(['pull', source]);
        const first = await done(['push', source, `${host}/packed:1`]);
        assert.match(first.stderr, /: compressing$/m);
        const [layer] = raw(`${host}/packed:1`).layers;
        assert.match(layer?.mediaType ?? '', /tar\+gzip$/);
        const again = await done(['push', source, `${host}/packed:2`]);
        assert.not.match(again.stderr, /compressing/);
        assert.is(digestOf(again), digestOf(first));
        await done(['push', '--compression-format', 'zstd', source, `${host}/packed:z`]);
        assert.match(raw(`${host}/packed:z`).layers[0]?.mediaType ?? '', /tar\+zstd$/);
        await done(['rmi', '-f', source]);
        for (const tag of ['1', 'z']) await done(['pull', '-q', `${host}/packed:${tag}`]);
        const ids = (await done(['images', '-q', '--no-trunc', `${host}/packed`])).stdout.trim().split('\n');
        assert.is(new Set(ids).size, 1, 'the configuration, and so the id, is the same in every compression');
      }),
    'none',
  ),
);

function describe(reference: string): { digest: string; size: number } {
  const bytes = skopeo('inspect', '--raw', '--tls-verify=false', `docker://${reference}`);
  const digest = skopeo('inspect', '--tls-verify=false', '--no-tags', '--format', '{{.Digest}}', `docker://${reference}`).trim();
  return { digest, size: Buffer.byteLength(bytes) };
}

async function putIndex(host: string, repository: string, tag: string, document: object): Promise<void> {
  const response = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/vnd.oci.image.index.v1+json' },
    body: JSON.stringify(document),
  });
  assert.is(response.status, 201, await response.text());
}

/** The same image for another machine: a layout with another architecture in its configuration. */
function otherPlatform(layout: string, architecture: string): string {
  const file = (digest: string) => join(layout, 'blobs/sha256', digest.slice('sha256:'.length));
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  const put = (document: object) => {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    writeFileSync(file(digest), bytes);
    return { digest, size: bytes.length };
  };
  const index = read(join(layout, 'index.json')) as { manifests: [{ digest: string }] };
  const manifest = read(file(index.manifests[0].digest)) as { config: { digest: string } };
  const config = { ...manifest.config, ...put({ ...read(file(manifest.config.digest)), architecture }) };
  const entry = { ...index.manifests[0], ...put({ ...manifest, config }), platform: { os: 'linux', architecture } };
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ ...index, manifests: [entry] }));
  return `oci:${layout}`;
}

live('an image for several platforms is pushed as an index, or one of them alone', needs, () =>
  withLayout([50_000], (layout, folder) =>
    withRegistry({}, async ({ host, push }) => {
      const entries = ['amd64', 'arm64'].map((architecture) => {
        const name = push(architecture === 'amd64' ? layout : otherPlatform(join(folder, 'layout'), architecture), `multi:${architecture}`);
        return { mediaType: manifestType, ...describe(name), platform: { os: 'linux', architecture } };
      });
      await putIndex(host, 'multi', 'both', { schemaVersion: 2, manifests: entries });
      const name = `${host}/multi:both`;
      for (const platform of ['linux/amd64', 'linux/arm64']) await done(['pull', '-q', '--platform', platform, name]);
      await done(['push', name, `${host}/again:both`]);
      const index = raw(`${host}/again:both`).manifests ?? [];
      assert.equal(
        index.map(({ digest, platform }) => [digest, platform.architecture]),
        entries.map(({ digest, platform }) => [digest, platform.architecture]),
      );
      const one = await done(['push', '--platform', 'linux/arm64', name, `${host}/again:arm`]);
      assert.is(digestOf(one), entries[1]?.digest);
      await refused(['push', '--platform', 'linux/s390x', name, `${host}/again:s390x`], 'PLATFORM_NOT_FOUND');
    }),
  ),
);

/** An OCI layout of an artifact about an image: a line of text. */
function artifact(folder: string, subject: object, artifactType: string): string {
  const blobs = join(folder, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (content: object | string, mediaType: string) => {
    const bytes = Buffer.from(typeof content === 'string' ? content : JSON.stringify(content));
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const [config, layer] = [put({}, 'application/vnd.oci.empty.v1+json'), put(`about ${artifactType}`, artifactType)];
  const document = { schemaVersion: 2, mediaType: manifestType, artifactType, config, layers: [layer], subject };
  const manifest = { ...put(document, manifestType), annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  return `oci:${folder}`;
}

live('what is attached to an image is listed, also by a registry without the API', needs, () =>
  withLayout([1000], (layout, folder) =>
    withRegistry({}, async ({ host, push }) => {
      const name = push(layout, 'x:1');
      const types = ['application/spdx+json', 'application/vnd.dev.cosign.signature'];
      for (const [index, type] of types.entries()) {
        const source = artifact(join(folder, `artifact-${index}`), { mediaType: manifestType, ...describe(name) }, type);
        await done(['copy', source, `docker://${host}/x:artifact-${index}`]);
      }
      const all = await done(['search', '--referrers', '--format', '{{.ArtifactType}}', name]);
      assert.equal(all.stdout.trim().split('\n'), types);
      const one = await done(['search', '--referrers', '--filter', `type=${types[1]}`, name]);
      assert.match(one.stdout, /^DIGEST +TYPE +SIZE\nsha256:[0-9a-f]{64} +application\/vnd.dev.cosign.signature +[0-9.]+k?B\n$/);
    }),
  ),
);

live('all tags of a repository are pushed, and pulled again', needs, () =>
  withLayout([20_000], (layout) =>
    withRegistry({}, async ({ host, push }) => {
      const source = push(layout, 'many:1');
      await done(['pull', '-q', source]);
      for (const tag of ['a', 'b']) await done(['tag', source, `${host}/tags:${tag}`]);
      const pushed = await done(['push', '--all-tags', `${host}/tags`]);
      assert.is(pushed.stdout.match(/^[ab]: digest: /gm)?.length, 2, pushed.stdout);
      const tags = await done(['search', '--format', '{{.Tag}}', `${host}/tags`]);
      assert.is(tags.stdout, 'a\nb\n');
      await done(['rmi', `${host}/tags:a`, `${host}/tags:b`]);
      assert.equal((await done(['pull', '-q', '-a', `${host}/tags`])).stdout.trim().split('\n'), [`${host}/tags:a`, `${host}/tags:b`]);
      assert.match(await refused(['push', '-a', `${host}/tags:a`], 'FLAGS_CONFLICT'), /tag can't be used/);
    }),
  ),
);

live('a manifest goes in the words of docker to a registry that wants those', needs, () =>
  withLayout([1000], (layout) =>
    withRegistry({}, async ({ host, port, push }) => {
      const source = push(layout, 'x:1');
      await done(['pull', '-q', source]);
      const refusing = ({ method, headers }: Asked) =>
        method === 'PUT' && /oci/.test(String(headers['content-type'])) ? { status: 415 } : undefined;
      await withFaults(port, refusing, async (old) => {
        assert.match(await refused(['push', source, `${old.host}/y:1`], 'MANIFEST_REFUSED'), /--format docker/);
        await done(['push', '--format', 'docker', source, `${old.host}/y:1`]);
      });
      assert.is(raw(`${host}/y:1`).mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
    }),
  ),
);

live('a layer that the store lost is named', needs, () =>
  withLayout([1000], (layout) =>
    withRegistry({}, ({ push }) =>
      withRegistry({}, async ({ host }) => {
        const source = push(layout, 'lost:1');
        await done(['pull', '-q', source]);
        const hex = raw(source).layers[0]?.digest.slice('sha256:'.length) ?? '';
        rmSync(join(data, 'images/blobs/sha256', hex));
        assert.match(await refused(['push', source, `${host}/x:1`], 'LAYER_MISSING'), new RegExp(hex));
        await done(['push', source]);
      }),
    ),
  ),
);

live('the digest is written to a file, and what is not there cannot be pushed', needs, () =>
  withLayout([1000], (layout, folder) =>
    withRegistry({}, async ({ host, push }) => {
      const source = push(layout, 'x:1');
      await done(['pull', '-q', source]);
      const pushed = await done(['push', '--digestfile', join(folder, 'digest'), source]);
      assert.is(readFileSync(join(folder, 'digest'), 'utf8'), digestOf(pushed));
      const missing = await rootless(['push', `${host}/nosuch:1`]);
      assert.is(missing.code, 1);
      assert.match(missing.stderr, /no such image/);
      await refused(['push', source, 'oci:/tmp/x'], 'REFERENCE_INVALID');
    }),
  ),
);

live('what podman, skopeo and buildah pushed is pulled with their digest', needs, () =>
  withTmp(async (folder) => {
    const layers = [tarOf(busyboxRootfs(join(folder, 'rootfs')))];
    const layout = ociLayout(join(folder, 'layout'), layers, { Cmd: ['echo', 'theirs'], Env: ['PATH=/bin'] });
    await withRegistry({}, async ({ host }) => {
      skopeo(
        'copy',
        '-q',
        '--insecure-policy',
        '--dest-tls-verify=false',
        '--format',
        'v2s2',
        `oci:${layout}`,
        `docker://${host}/skopeo:1`,
      );
      for (const program of ['podman', 'buildah']) {
        const storage = ['--root', join(folder, program), '--runroot', join(folder, `${program}-run`), '--storage-driver', 'vfs'];
        const run = (...args: readonly string[]) => {
          const result = spawnSync(program, [...storage, ...args], { encoding: 'utf8' });
          assert.is(result.status, 0, result.stderr);
          return result.stdout.trim().split('\n').at(-1) ?? '';
        };
        const id = run('pull', '-q', '--tls-verify=false', `${host}/skopeo:1`);
        run('push', '-q', '--tls-verify=false', id, `docker://${host}/${program}:1`);
        spawnSync(program, ['unshare', 'rm', '-rf', join(folder, program), join(folder, `${program}-run`)]);
      }
      for (const name of ['skopeo', 'podman', 'buildah']) {
        const reference = `${host}/${name}:1`;
        const { stderr } = await done(['pull', reference]);
        assert.is(/digest: (sha256:[0-9a-f]{64})/.exec(stderr)?.[1], describe(reference).digest, name);
        assert.is((await done(['run', '--rm', '--network', 'none', reference])).stdout, 'theirs\n');
      }
    });
  }),
);

live.run();
