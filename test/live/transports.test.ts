/** Images between tools: what buildah, umoci, skopeo and old dockers write is loaded and run; what we write they read; lists of platforms. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { dockerArchive } from '../support/archive.ts';
import { type Options, rootless } from '../support/cli.ts';
import { busyboxRootfs, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withRegistry } from '../support/registry.ts';
import { tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox', 'registry'] as const;

async function ok(args: readonly string[], options?: Options): Promise<string> {
  const output = await rootless(args, options);
  assert.is(output.code, 0, `${args.join(' ')}: ${output.stderr}`);
  return output.stdout;
}

async function refused(args: readonly string[], exit: number, code: string, options?: Options): Promise<string> {
  const output = await rootless(['--debug', ...args], options);
  assert.is(output.code, exit, output.stderr);
  assert.match(output.stderr, new RegExp(`\\b${code}\\b`));
  return output.stderr;
}

function peer(program: string, args: readonly string[]): string {
  const run = spawnSync(program, args, { encoding: 'utf8' });
  assert.is(run.status, 0, `${program} ${args.join(' ')}: ${run.stderr}${run.error ?? ''}`);
  return run.stdout;
}

const skopeo = (...args: readonly string[]) => peer('skopeo', ['--insecure-policy', ...args]);

/** A layout of busybox and one more file, whose command prints it. */
async function withLayout(body: (layout: string, folder: string) => Promise<void>): Promise<void> {
  await withTmp(async (folder) => {
    const layers = [tarOf(busyboxRootfs(join(folder, 'rootfs'))), tarBytes([{ name: 'text', data: 'as it was' }])];
    await body(ociLayout(join(folder, 'layout'), layers, { Cmd: ['cat', '/text'], Env: ['PATH=/bin'], Labels: { team: 'a' } }), folder);
    await ok(['rmi', '-af']);
  });
}

/** Loads it, and runs and inspects what came; @returns the image's id. */
async function loaded(path: string, name: string | undefined): Promise<string> {
  const said = await ok(['load', '-q', '-i', path]);
  const id = /Loaded image ID: (\S+)/.exec(said)?.[1];
  if (name === undefined) assert.ok(id, said);
  else assert.is(said, `Loaded image: ${name}\n`);
  const wanted = name ?? id?.slice(7, 19) ?? '';
  assert.is(await ok(['run', '--rm', '--network', 'none', '--pull', 'never', wanted]), 'as it was');
  const [facts] = JSON.parse(await ok(['image', 'inspect', wanted])) as [{ Id: string; Config: { Labels: object } }];
  assert.equal(facts.Config.Labels, { team: 'a' });
  await ok(['rmi', '-af']);
  return facts.Id;
}

live('what skopeo writes is loaded and run, whatever its form', needs, () =>
  withLayout(async (layout, folder) => {
    const at = (name: string) => join(folder, name);
    skopeo('copy', '-q', `oci:${layout}`, `dir:${at('dir')}`);
    skopeo('copy', '-q', `oci:${layout}`, `oci:${at('oci')}:localhost:5000/x:oci`);
    skopeo('copy', '-q', `oci:${layout}`, `oci-archive:${at('o.tar')}:bare`);
    skopeo('copy', '-q', `oci:${layout}`, `docker-archive:${at('d.tar')}:team/x:1`);
    const ids = [
      await loaded(at('dir'), undefined),
      await loaded(at('oci'), 'localhost:5000/x:oci'),
      await loaded(at('o.tar'), 'bare:latest'),
      await loaded(at('d.tar'), 'team/x:1'),
    ];
    assert.is(new Set(ids.slice(0, 3)).size, 1, 'the id is that of the configuration');
    writeFileSync(at('d.tar.gz'), gzipSync(readFileSync(at('d.tar')), { level: 1 }));
    assert.is(await loaded(at('d.tar.gz'), 'team/x:1'), ids[3]);
    const piped = await rootless(['load', '-q'], { input: readFileSync(at('d.tar')) });
    assert.is(piped.stdout, 'Loaded image: team/x:1\n', piped.stderr);
  }),
);

live("docker's old archive is loaded and run", needs, () =>
  withTmp(async (folder) => {
    mkdirSync(join(folder, 'rootfs'));
    writeFileSync(join(folder, 'layer.tar'), tarOf(busyboxRootfs(join(folder, 'rootfs'))));
    await dockerArchive(join(folder, 'old.tar'), join(folder, 'layer.tar'));
    assert.is(await ok(['load', '-i', join(folder, 'old.tar')]), 'Loaded image: debian:test\n');
    assert.is(await ok(['run', '--rm', '--network', 'none', 'debian:test', '/bin/echo', 'old']), 'old\n');
    await ok(['rmi', '-af']);
  }),
);

live('what umoci and buildah make is loaded and run', needs, () =>
  withTmp(async (folder) => {
    const rootfs = busyboxRootfs(join(folder, 'rootfs'));
    writeFileSync(join(rootfs, 'text'), 'as it was');
    const image = `${join(folder, 'umoci')}:made`;
    peer('umoci', ['init', '--layout', join(folder, 'umoci')]);
    peer('umoci', ['new', '--image', image]);
    peer('umoci', ['insert', '--rootless', '--image', image, rootfs, '/']);
    peer('umoci', [
      'config',
      '--image',
      image,
      '--config.cmd',
      'cat',
      '--config.cmd',
      '/text',
      '--config.env',
      'PATH=/bin',
      '--config.label',
      'team=a',
    ]);
    await loaded(join(folder, 'umoci'), 'made:latest');
    const storage = ['--root', join(folder, 'b'), '--runroot', join(folder, 'r'), '--storage-driver', 'vfs'];
    const buildah = (...args: readonly string[]) => peer('buildah', [...storage, ...args]).trim();
    const made = buildah('from', 'scratch');
    buildah('copy', made, rootfs, '/');
    buildah('config', '--cmd', 'cat /text', '--env', 'PATH=/bin', '--label', 'team=a', '--label', 'io.buildah.version-', made);
    buildah('commit', '-q', made, `docker-archive:${join(folder, 'b.tar')}:by/buildah:1`);
    buildah('commit', '-q', made, `oci-archive:${join(folder, 'bo.tar')}:by/buildah:2`);
    buildah('rm', '-a');
    for (const [file, name] of [
      ['b.tar', 'by/buildah:1'],
      ['bo.tar', 'by/buildah:2'],
    ] as const) {
      assert.is(await ok(['load', '-q', '-i', join(folder, file)]), `Loaded image: ${name}\n`);
      assert.is(await ok(['run', '--rm', '--network', 'none', name]), 'as it was');
    }
    await ok(['rmi', '-af']);
  }),
);

live('what is saved, others read with equal digests', needs, () =>
  withLayout(async (layout, folder) => {
    const at = (name: string) => join(folder, name);
    await ok(['load', '-q', '-i', layout]);
    await ok(['tag', 'latest', 'localhost:5000/team/x:1']);
    for (const [format, out] of [
      ['docker-archive', 'd.tar'],
      ['oci-archive', 'o.tar'],
      ['oci-dir', 'oci'],
      ['docker-dir', 'dir'],
    ] as const)
      await ok(['save', '-q', '--format', format, '-o', at(out), 'localhost:5000/team/x:1']);
    const configOf = (source: string) => (JSON.parse(skopeo('inspect', '--raw', source)) as { config: { digest: string } }).config.digest;
    const id = (await ok(['images', '-q', '--no-trunc', 'localhost:5000/team/x'])).trim();
    assert.is(configOf(`oci-archive:${at('o.tar')}`), id);
    assert.is(configOf(`oci:${at('oci')}:localhost:5000/team/x:1`), id);
    assert.is(configOf(`dir:${at('dir')}`), id);
    skopeo('copy', '-q', `docker-archive:${at('d.tar')}:localhost:5000/team/x:1`, `oci:${at('again')}:1`);
    peer('umoci', ['unpack', '--rootless', '--image', `${at('again')}:1`, at('bundle')]);
    assert.is(readFileSync(at('bundle/rootfs/text'), 'utf8'), 'as it was');
    await refused(['save', '--format', 'oci-dir', 'latest'], 1, 'SAVE_TARGET');
    await refused(['save', '-o', join(folder, 'none/x.tar'), 'latest'], 1, 'SAVE_TARGET');
    await refused(['save', 'none'], 1, 'IMAGE_NOT_FOUND');
  }),
);

live('an image is copied from every transport to every other, and its id stays', needs, () =>
  withLayout((layout, folder) =>
    withRegistry({}, async ({ host }) => {
      const at = (name: string) => join(folder, name);
      const places = [
        `oci:${at('oci')}:x`,
        `docker://${host}/team/one:1`,
        `dir:${at('dir')}`,
        `oci-archive:${at('o.tar')}:x`,
        'here:1',
        `docker-archive:${at('d.tar')}:team/x:1`,
        `docker://${host}/team/two:2`,
      ];
      let from = `oci:${layout}`;
      const digests = [];
      for (const to of places) {
        digests.push((await ok(['copy', '-q', from, to])).trim());
        from = to;
      }
      assert.is(new Set(digests).size, 1);
      assert.is(await ok(['run', '--rm', '--network', 'none', `${host}/team/two:2`]), 'as it was');
      const docker = (await ok(['copy', '-q', '--format', 'docker', 'here:1', `docker://${host}/team/d:1`])).trim();
      assert.is.not(docker, digests[0]);
      assert.match(skopeo('inspect', '--raw', '--tls-verify=false', `docker://${host}/team/d:1`), /docker\.container\.image/);
      assert.match(await refused(['copy', 'docker-daemon:x', 'y'], 125, 'TRANSPORT_UNKNOWN'), /oci-archive:FILE/);
      await refused(['copy', `oci:${at('oci')}:none`, 'y'], 125, 'TAG_NOT_FOUND');
      await refused(['copy', 'nowhere', 'y'], 1, 'IMAGE_NOT_FOUND');
    }),
  ),
);

live('a list of platforms is made, annotated, pushed, copied and taken apart', needs, () =>
  withLayout((layout, folder) =>
    withRegistry({}, async ({ host }) => {
      const other = join(folder, 'other');
      peer('cp', ['-r', layout, other]);
      peer('umoci', ['config', '--image', `${other}:latest`, '--architecture', 'riscv64']);
      await ok(['copy', '-q', `oci:${layout}`, `docker://${host}/x:native`]);
      await ok(['copy', '-q', `oci:${other}:latest`, `docker://${host}/x:riscv`]);
      const list = `${host}/x:all`;
      assert.is(await ok(['manifest', 'create', list, `${host}/x:native`, `${host}/x:riscv`]), `Created manifest list ${list}\n`);
      await refused(['manifest', 'create', list], 1, 'LIST_EXISTS');
      await ok(['manifest', 'annotate', '--variant', 'rva22', list, `${host}/x:riscv`]);
      type Entries = { manifests: { digest: string; platform: { architecture: string; variant?: string } }[] };
      const { manifests } = JSON.parse(await ok(['manifest', 'inspect', list])) as Entries;
      assert.equal(
        manifests.map(({ platform }) => platform.variant),
        [undefined, 'rva22'],
      );
      const digest = (await ok(['manifest', 'push', '-q', '--purge', list])).trim();
      assert.is((await rootless(['manifest', 'exists', list])).code, 1);
      const remote = JSON.parse(skopeo('inspect', '--raw', '--tls-verify=false', `docker://${list}`)) as Entries;
      assert.equal(remote.manifests.map(({ platform }) => platform.architecture).slice(1), ['riscv64']);
      assert.match(await ok(['manifest', 'inspect', '--platform', 'linux/riscv64', list]), /"layers"/);
      assert.match(await ok(['manifest', 'inspect', '-v', list]), /"OCIManifest"/);
      assert.is((await ok(['copy', '-q', '--all', `docker://${list}`, `oci:${join(folder, 'multi')}:1`])).trim(), digest);
      await ok(['copy', '-q', '--all', `oci:${join(folder, 'multi')}:1`, 'multi:1']);
      assert.is((await ok(['images', '-q', 'multi:1'])).trim().split('\n').length, 2);
      assert.is(await ok(['image', 'inspect', '--platform', 'linux/riscv64', '-f', '{{.Architecture}}', 'multi:1']), 'riscv64\n');
      await ok(['copy', '-q', '--platform', 'linux/riscv64', `docker://${list}`, `oci-archive:${join(folder, 'one.tar')}:1`]);
      assert.match(skopeo('inspect', '--config', `oci-archive:${join(folder, 'one.tar')}:1`), /riscv64/);
      await ok(['manifest', 'create', 'mine:1', 'multi:1']);
      await ok(['manifest', 'add', '--arch', 'arm', '--variant', 'v7', 'mine:1', `docker://${host}/x:riscv`]);
      assert.match(await refused(['manifest', 'remove', 'mine:1', `sha256:${'0'.repeat(64)}`], 1, 'LIST_ENTRY_MISSING'), /sha256:\w{64}, /);
      await ok(['manifest', 'rm', 'mine:1']);
      await refused(['manifest', 'push', 'mine:1'], 1, 'LIST_NOT_FOUND');
    }),
  ),
);

live('a root filesystem becomes an image, from a file, a pipe or a server', needs, () =>
  withTmp(async (folder) => {
    const rootfs = busyboxRootfs(join(folder, 'rootfs'));
    writeFileSync(join(rootfs, 'text'), 'as it was');
    const tar = tarOf(rootfs);
    writeFileSync(join(folder, 'root.tar'), tar);
    const change = ['-c', 'CMD ["cat", "/text"]', '-c', 'ENV PATH=/bin', '-m', 'imported here'];
    const env = { SOURCE_DATE_EPOCH: '1700000000' };
    const id = await ok(['import', ...change, join(folder, 'root.tar'), 'made:1'], { env });
    assert.is(await ok(['run', '--rm', '--network', 'none', 'made:1']), 'as it was');
    assert.match(await ok(['history', 'made:1']), /imported here/);
    assert.is(await ok(['import', ...change, '-', 'piped:1'], { env, input: gzipSync(tar, { level: 1 }) }), id);
    const server = createServer((request, response) => (request.url === '/root.tar' ? response.end(tar) : response.writeHead(404).end()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      assert.is(await ok(['import', ...change, `${base}/root.tar`], { env }), id);
      await refused(['import', `${base}/none.tar`], 1, 'DOWNLOAD_FAILED');
    } finally {
      server.close();
    }
    await refused(['import', join(folder, 'none.tar')], 1, 'ARCHIVE_NOT_FOUND');
    await refused(['import', '-'], 125, 'ARCHIVE_INVALID', { input: 'no tar' });
    await refused(['import', '-'], 125, 'ARCHIVE_INVALID', { input: tar.subarray(0, 100_000) });
    await refused(['import', '-c', 'FROM x', join(folder, 'root.tar')], 125, 'FLAG_VALUE_INVALID');
    await ok(['rmi', '-af']);
  }),
);

live.run();
