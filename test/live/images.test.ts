/** Images in the store as people handle them: named, listed, inspected, removed and pruned; by several processes at once. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { data, type Options, type Output, rootless } from '../support/cli.ts';
import { busyboxRootfs, type ImageConfig, ociLayout, tarOf } from '../support/images.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { withRegistryDouble } from '../support/registry-double.ts';
import { tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;

async function ok(args: readonly string[], options?: Options): Promise<string> {
  const output = await rootless(args, options);
  assert.is(output.code, 0, output.stderr);
  return output.stdout;
}

async function refused(args: readonly string[], exit: number, code: string, options?: Options): Promise<Output> {
  const output = await rootless(['--debug', ...args], options);
  assert.is(output.code, exit, output.stderr);
  assert.match(output.stderr, new RegExp(`\\b${code}\\b`));
  return output;
}

/** Loads busybox and, above it, a layer with this text, under these names; the store is empty afterwards. */
async function withImages(texts: Readonly<Record<string, string>>, body: () => Promise<void>, config: ImageConfig = {}): Promise<void> {
  await withTmp(async (folder) => {
    const base = tarOf(busyboxRootfs(join(folder, 'rootfs')));
    for (const [name, text] of Object.entries(texts)) {
      const layout = ociLayout(join(folder, name.replaceAll(/\W/g, '-')), [base, tarBytes([{ name: 'text', data: text }])], {
        Cmd: ['cat', '/text'],
        Env: ['PATH=/bin'],
        ...config,
      });
      await ok(['load', '-q', '-i', layout]);
      await ok(['tag', 'latest', name]);
      await ok(['rmi', 'latest']);
    }
    try {
      await body();
    } finally {
      for (const id of (await ok(['ps', '-aq'])).split('\n').filter(Boolean)) await ok(['rm', '--force', id]);
      await ok(['rmi', '-af']);
    }
  });
}

const idOf = async (name: string) => (await ok(['images', '-q', '--no-trunc', name])).trim();

/** Unpacked layers and blobs on disk. */
function onDisk(): { readonly layers: number; readonly blobs: number } {
  const layers = join(data, 'layers');
  const count = (folder: string) => (existsSync(folder) ? readdirSync(folder).filter((name) => /^[0-9a-f]+$/.test(name)).length : 0);
  return {
    layers: existsSync(layers) ? readdirSync(layers).reduce((sum, map) => sum + count(join(layers, map)), 0) : 0,
    blobs: count(join(data, 'images/blobs/sha256')),
  };
}

live('an image gets names and loses them, and goes with the last one', needs, () =>
  withImages({ 'one:1': 'text' }, async () => {
    assert.is(await ok(['tag', 'one:1', 'localhost:5000/team/two', 'three:3']), '');
    assert.equal((await ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])).trim().split('\n'), [
      'localhost:5000/team/two:latest',
      'one:1',
      'three:3',
    ]);
    assert.is(await ok(['image', 'rm', 'one:1']), 'Untagged: one:1\n');
    const id = await idOf('three:3');
    await ok(['untag', 'three:3', 'three:3']);
    assert.is(await ok(['run', '--rm', '--network', 'none', id.slice(7, 19)]), 'text');
    assert.is(await ok(['rmi', 'localhost:5000/team/two']), `Untagged: localhost:5000/team/two:latest\nDeleted: ${id}\n`);
    assert.equal(onDisk(), { layers: 0, blobs: 0 });
    await refused(['rmi', 'one:1'], 1, 'IMAGE_NOT_FOUND');
    assert.is((await rootless(['rmi', '-f', 'one:1'])).code, 0);
    await refused(['tag', 'one:1', 'x'], 1, 'IMAGE_NOT_FOUND');
  }),
);

live('several images are removed at once, and what fails does not stop the rest', needs, () =>
  withImages({ 'one:1': '1', 'two:1': '2' }, async () => {
    const output = await refused(['rmi', 'one:1', 'none', 'two:1'], 1, 'IMAGE_NOT_FOUND');
    assert.match(output.stdout, /^Untagged: one:1\nDeleted: sha256:\w+\nUntagged: two:1\nDeleted: sha256:\w+\n$/);
  }),
);

live('an image that a container was made from stays, and its layers stay even by force', needs, () =>
  withImages({ 'one:1': 'kept' }, async () => {
    await ok(['run', '--name', 'user', '--network', 'none', 'one:1']);
    const id = await idOf('one:1');
    for (const wanted of ['one:1', id, id.slice(7, 15)]) assert.match((await refused(['rmi', wanted], 1, 'IMAGE_IN_USE')).stderr, /"user"/);
    assert.is(await ok(['image', 'prune', '-af']), 'Total reclaimed space: 0B\n');
    await ok(['rmi', '-f', 'one:1']);
    assert.equal(onDisk(), { layers: 2, blobs: 0 });
    await ok(['rm', 'user']);
    await ok(['image', 'prune', '-f']);
    assert.equal(onDisk(), { layers: 0, blobs: 0 });
  }),
);

live('a running container keeps its image, by force only without a name', needs, () =>
  withImages({ 'one:1': 'x' }, async () => {
    const busy = rootless([
      'run',
      '--name',
      'busy',
      '--network',
      'none',
      'one:1',
      'sh',
      '-c',
      'until [ -e /stop ]; do sleep 0.05; done; cat /text',
    ]);
    await eventually(async () => assert.match(await ok(['ps', '--format', '{{.State}}']), /running/));
    const id = await idOf('one:1');
    await refused(['rmi', '-f', id], 1, 'IMAGE_IN_USE');
    assert.is(await ok(['rmi', '-f', 'one:1']), 'Untagged: one:1\n');
    assert.is((await ok(['images', '-q', '--no-trunc', '-f', 'dangling=true'])).trim(), id);
    assert.equal(onDisk().layers, 2);
    await ok(['rm', '--force', 'busy']);
    assert.is((await busy).code, 137);
  }),
);

live('prune asks, takes images without a tag, and says what became free', needs, () =>
  withImages({ 'one:1': 'older', 'two:1': 'newer' }, async () => {
    await ok(['tag', 'two:1', 'one:1']);
    await refused(['image', 'prune'], 1, 'NOT_CONFIRMED', { input: 'n\n' });
    await refused(['image', 'prune'], 1, 'NOT_CONFIRMED');
    assert.is((await ok(['images', '-q'])).trim().split('\n').length, 3);
    const pruned = await ok(['image', 'prune'], { input: 'y\n' });
    assert.match(pruned, /\[y\/N\] Deleted Images:\ndeleted: sha256:\w{64}\n\nTotal reclaimed space: [\d.]+k?B\n$/);
    assert.is((await ok(['images', '-q'])).trim().split('\n').length, 2);
    assert.match(await ok(['image', 'prune', '-a', '-f']), /untagged: two:1\nuntagged: one:1\ndeleted: /);
  }),
);

live('prune keeps to its filters', needs, () =>
  withImages(
    { 'one:1': 'x' },
    async () => {
      for (const filter of ['label=other', 'label!=team', 'label=team=b'])
        assert.is(await ok(['image', 'prune', '-af', '--filter', filter]), 'Total reclaimed space: 0B\n');
      assert.match(await ok(['image', 'prune', '-af', '--filter', 'label=team=a']), /untagged: one:1/);
      await refused(['image', 'prune', '-f', '--filter', 'until=never'], 125, 'FILTER_INVALID');
      await refused(['image', 'prune', '-f', '--filter', 'dangling=true'], 125, 'FLAG_VALUE_INVALID');
    },
    { Labels: { team: 'a' } },
  ),
);

live("images are listed by docker's filters and formats", needs, () =>
  withImages({ 'one:1': '1', 'localhost:5000/team/two:2': '2' }, async () => {
    const names = async (...args: readonly string[]) =>
      (await ok(['images', '--format', '{{.Repository}}', ...args])).split('\n').filter(Boolean);
    assert.equal(await names('one'), ['one']);
    assert.equal(await names('one:2'), []);
    assert.equal(await names('--filter', 'reference=localhost:5000/*/two'), ['localhost:5000/team/two']);
    assert.equal(await names('-f', 'reference=o*', '-f', 'reference=*/*/*:2'), ['localhost:5000/team/two', 'one']);
    assert.equal(await names('-f', 'dangling=true'), []);
    assert.equal((await names('-f', 'dangling=false')).length, 2);
    assert.equal(await names('-f', 'label=x'), []);
    assert.equal((await names('-f', 'until=1s')).length, 2);
    await refused(['images', '-f', 'before=none'], 1, 'IMAGE_NOT_FOUND');
    await refused(['images', '-f', 'dangling=perhaps'], 125, 'FILTER_INVALID');
    await refused(['images', '-f', 'colour=red'], 125, 'FLAG_VALUE_INVALID');
    const rows = (await ok(['image', 'ls', '--format', 'json']))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    assert.equal(
      rows.map(({ Repository, Tag }) => `${Repository}:${Tag}`),
      ['localhost:5000/team/two:2', 'one:1'],
    );
    assert.match(
      await ok(['images', '--digests', '--no-trunc', 'one']),
      /^REPOSITORY +TAG +DIGEST +IMAGE ID +CREATED +SIZE\none +1 +sha256:\w{64} +sha256:\w{64} /,
    );
  }),
);

live("an image is inspected under docker's names, and its files without unpacking it", needs, () =>
  withImages(
    { 'one:1': 'twelve bytes' },
    async () => {
      const [facts] = JSON.parse(await ok(['image', 'inspect', 'one:1'])) as [Record<string, unknown>];
      assert.equal(facts['RepoTags'], ['one:1']);
      assert.equal((facts['Config'] as Record<string, unknown>)['Cmd'], ['cat', '/text']);
      assert.is((facts['RootFS'] as { Layers: unknown[] }).Layers.length, 2);
      assert.is(await ok(['image', 'inspect', '-f', '{{.Id}} {{index .Config.Labels "team"}}', 'one:1']), `${await idOf('one:1')} a\n`);
      const output = await refused(['image', 'inspect', '-f', '{{.Os}}', 'none', 'one:1'], 1, 'IMAGE_NOT_FOUND');
      assert.is(output.stdout, 'linux\n');
      const files = await ok(['image', 'inspect', '--files', 'one:1']);
      assert.match(files, /^-rw-r--r-- +0:0 +12 +\w{12} +text$/m);
      assert.match(files, /^drwxrwxrwt +0:0 +0 +\w{12} +tmp$/m);
      assert.match(files, /^lrwxrwxrwx +0:0 +0 +\w{12} +bin\/sh -> busybox$/m);
      assert.is(onDisk().layers, 0);
    },
    { Labels: { team: 'a' } },
  ),
);

live('files hidden by a later layer are not in the list', needs, () =>
  withTmp(async (folder) => {
    const lower = tarBytes([
      { name: 'a/', type: '5' },
      { name: 'a/one', data: '1' },
      { name: 'b/', type: '5' },
      { name: 'b/deep/', type: '5' },
      { name: 'b/deep/two', data: '2' },
      { name: 'c', data: '3' },
    ]);
    const upper = tarBytes([{ name: 'a/.wh.one' }, { name: 'b/.wh..wh..opq' }, { name: 'b/new', data: 'n' }, { name: 'c/', type: '5' }]);
    await ok(['load', '-q', '-i', ociLayout(join(folder, 'layout'), [lower, upper])]);
    const files = await ok(['image', 'inspect', '--files', '--format', '{{.Type}} {{.Path}}', 'latest']);
    assert.is(files, 'folder a\nfolder b\nfile b/new\nfolder c\n');
    await ok(['rmi', 'latest']);
  }),
);

live("history has docker's columns, newest first", needs, () =>
  withImages({ 'one:1': 'x' }, async () => {
    const lines = (await ok(['history', 'one:1'])).trim().split('\n');
    assert.match(lines[0] ?? '', /^IMAGE +CREATED +CREATED BY +SIZE +COMMENT$/);
    assert.is(lines.length, 3);
    assert.match(lines[2] ?? '', /^<missing> /);
    const id = await idOf('one:1');
    assert.is(await ok(['image', 'history', '-q', '--no-trunc', 'one:1']), `${id}\n<missing>\n`);
    assert.match(await ok(['history', '--human=false', '--format', '{{.Size}}', 'one:1']), /^\d+\n\d+\n$/);
    await refused(['history', 'none'], 1, 'IMAGE_NOT_FOUND');
  }),
);

live('four processes that pull the same image at the same moment fetch each blob once', needs, () =>
  withTmp(async (folder) => {
    mkdirSync(join(folder, 'extra'));
    writeFileSync(join(folder, 'extra/noise'), Buffer.alloc(3_000_000, 'noise'));
    const layers = [tarOf(busyboxRootfs(join(folder, 'rootfs'))), tarOf(join(folder, 'extra')), tarBytes([{ name: 'x', data: 'x' }])];
    await withRegistryDouble(
      () => undefined,
      async (registry) => {
        registry.image('team/x', 'one', layers, { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' });
        const outputs = await Promise.all(Array.from({ length: 4 }, () => rootless(['pull', '-q', `${registry.host}/team/x:one`])));
        assert.equal(
          outputs.map(({ code }) => code),
          [0, 0, 0, 0],
          outputs.map(({ stderr }) => stderr).join('\n'),
        );
        const blobs = registry.log.filter((line) => line.startsWith('GET ') && line.includes('/blobs/'));
        assert.is(blobs.length, 4, blobs.join('\n'));
        assert.is(new Set(blobs).size, 4);
        assert.is(onDisk().layers, 3);
        assert.is((await rootless(['run', '--rm', '--network', 'none', `${registry.host}/team/x:one`, 'cat', '/x'])).stdout, 'x');
        await ok(['rmi', '-a']);
        assert.equal(onDisk(), { layers: 0, blobs: 0 });
      },
    );
  }),
);

live('an image is removed and run at the same time: it runs whole, or it is not there', needs, () =>
  withImages({ 'one:1': 'whole' }, async () => {
    for (let round = 0; round < 4; round += 1) {
      await ok(['tag', 'one:1', 'round']);
      await ok(['save', '-q', '-o', join(data, '../round.tar'), 'round']);
      await ok(['rmi', '-f', 'one:1', 'round']);
      await ok(['load', '-q', '-i', join(data, '../round.tar')]);
      const runs = Array.from({ length: 3 }, () => rootless(['--debug', 'run', '--rm', '--network', 'none', '--pull', 'never', 'round']));
      const gone = await rootless(['rmi', 'round']);
      for (const { code, stdout, stderr } of await Promise.all(runs)) {
        if (code === 0) assert.is(stdout, 'whole');
        else assert.match(stderr, /IMAGE_NOT_FOUND/, stderr);
      }
      if (gone.code !== 0) assert.match(gone.stderr, /is using its image/);
      await ok(['load', '-q', '-i', join(data, '../round.tar')]);
      await ok(['tag', 'round', 'one:1']);
    }
  }),
);

live('system df counts what images, containers and volumes take, what several share once', needs, () =>
  withImages({ 'one:1': '1', 'two:1': '2' }, async () => {
    await ok([
      'run',
      '--name',
      'writer',
      '--network',
      'none',
      '-v',
      'kept:/kept',
      'one:1',
      'sh',
      '-c',
      'head -c 5000 /dev/zero > /written',
    ]);
    const rows = (await ok(['system', 'df', '--format', 'json']))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    assert.equal(
      rows.map(({ Type, TotalCount, Active }) => [Type, TotalCount, Active]),
      [
        ['Images', '2', '1'],
        ['Containers', '1', '0'],
        ['Local Volumes', '1', '1'],
        ['Build Cache', '0', '0'],
      ],
    );
    assert.match(rows[1]?.['Reclaimable'] ?? '', /^5kB \(100%\)$/);
    assert.match(await ok(['system', 'df']), /^TYPE +TOTAL +ACTIVE +SIZE +RECLAIMABLE\nImages +2 +1 /);
    const details = await ok(['system', 'df', '-v']);
    assert.match(details, /^one +1 +\w{12} +.* 1$/m);
    assert.match(details, /^kept +1 +0B$/m);
  }),
);

live('system prune takes stopped containers and dangling images, and no volume with a name', needs, () =>
  withImages({ 'one:1': '1', 'two:1': '2' }, async () => {
    await ok(['run', '--name', 'done', '--network', 'none', '-v', '/anonymous', 'one:1']);
    await ok(['tag', 'two:1', 'one:1']);
    await refused(['system', 'prune'], 1, 'NOT_CONFIRMED', { input: 'no\n' });
    const pruned = await ok(['system', 'prune', '--volumes'], { input: 'y\n' });
    assert.match(pruned, /all stopped containers\n.*all networks.*\n.*anonymous volumes.*\n.*dangling images\n/);
    assert.match(pruned, /Deleted Containers:\n\w{64}\n/);
    assert.match(pruned, /Deleted Images:\ndeleted: sha256:/);
    assert.match(pruned, /Total reclaimed space: [\d.]+[kM]?B\n$/);
    assert.equal(await ok(['ps', '-aq']), '');
    assert.is((await ok(['images', '-q'])).trim().split('\n').length, 2);
    assert.match(await ok(['system', 'prune', '-af']), /untagged: two:1\nuntagged: one:1\n/);
    assert.equal(onDisk(), { layers: 0, blobs: 0 });
  }),
);

live.run();
