/** Layers made to escape or to confuse: the image is refused, or the container sees what the tar means, and the host is untouched. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mode } from '../support/checkout.ts';
import { data, type Output, rootless } from '../support/cli.ts';
import { busyboxRootfs, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { type Entry, pax, tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;

/** Runs a shell line in busybox with a layer of these entries on top; `folder` is where an escape would show. */
const withLayers = (
  layers: (folder: string) => readonly (readonly Entry[])[],
  script: string,
  body: (output: Output, folder: string) => void,
) =>
  withTmp(async (folder) => {
    const base = tarOf(busyboxRootfs(join(folder, 'rootfs')));
    mkdirSync(join(folder, 'target'));
    const tars = layers(join(folder, 'target')).map((entries) => tarBytes(entries));
    const image = `oci:${ociLayout(join(folder, 'layout'), [base, ...tars], { Env: ['PATH=/bin'] })}`;
    body(await rootless(['run', '--rm', '--network', 'none', image, 'sh', '-c', script]), join(folder, 'target'));
  });

const up = '../'.repeat(20);

for (const [name, entries] of [
  ['a name with ..', (target: string) => [{ name: `${up}${target.slice(1)}/escaped`, data: 'x' }]],
  ['an absolute name', (target: string) => [{ name: `${target}/escaped`, data: 'x' }]],
  [
    'a file through a symlink to the host',
    (target: string) => [
      { name: 'out', type: '2', link: target },
      { name: 'out/escaped', data: 'x' },
    ],
  ],
  [
    'a file through a relative symlink that climbs',
    (target: string) => [
      { name: 'out', type: '2', link: `${up}${target.slice(1)}` },
      { name: 'out/escaped', data: 'x' },
    ],
  ],
  [
    'a hard link to a file of the host, then written through',
    (target: string) => [
      { name: 'hard', type: '1', link: `${target}/victim` },
      { name: 'hard', data: 'overwritten' },
    ],
  ],
  ['a hard link that climbs', (target: string) => [{ name: 'hard', type: '1', link: `${up}${target.slice(1)}/victim` }]],
  [
    'a symlink, then a folder of the same name, then a file in it',
    (target: string) => [
      { name: 'dir', type: '2', link: target },
      { name: 'dir', type: '5' },
      { name: 'dir/escaped', data: 'x' },
    ],
  ],
  ['a whiteout of ..', () => [{ name: '.wh...', data: '' }]],
  ['a whiteout with a path', (target: string) => [{ name: `${up}${target.slice(1)}/.wh.victim`, data: '' }]],
] as const) {
  live(`${name} cannot leave the layer`, needs, () =>
    withTmp((outer) => {
      writeFileSync(join(outer, 'victim'), 'whole');
      return withLayers(
        (target) => {
          writeFileSync(join(target, 'victim'), 'whole');
          return [entries(target) as readonly Entry[]];
        },
        'true',
        ({ code, stderr }, target) => {
          assert.ok(code === 0 || code === 125, `${code} ${stderr}`);
          if (code === 125) assert.match(stderr, /^rootless: /m);
          assert.equal(readdirSync(target), ['victim']);
          assert.not.ok(existsSync(join(target, 'escaped')));
        },
      );
    }),
  );
}

live('device nodes in a layer do not become devices of the host', needs, () =>
  withLayers(
    () => [
      [
        { name: 'dev/disk', type: '4', major: 8, minor: 0, mode: 0o666 },
        { name: 'null', type: '3', major: 1, minor: 3, mode: 0o666 },
      ],
    ],
    '! test -b /dev/disk && echo ok',
    ({ code, stdout, stderr }) => {
      assert.is(code, 0, stderr);
      assert.is(stdout, 'ok\n');
    },
  ),
);

live('whiteouts hide files and opaque folders hide what lies below', needs, () =>
  withLayers(
    () => [
      [
        { name: 'a/', type: '5' },
        { name: 'a/one', data: '1' },
        { name: 'a/two', data: '2' },
        { name: 'b/', type: '5' },
        { name: 'b/old', data: 'o' },
      ],
      [
        { name: 'a/.wh.one', data: '' },
        { name: 'b/', type: '5' },
        { name: 'b/new', data: 'n' },
        { name: 'b/.wh..wh..opq', data: '' },
      ],
    ],
    'ls /a /b',
    ({ stdout, stderr }) => assert.is(stdout, '/a:\ntwo\n\n/b:\nnew\n', stderr),
  ),
);

live('of duplicate entries the last counts', needs, () =>
  withLayers(
    () => [
      [
        { name: 'f', data: 'first' },
        { name: 'g', type: '5' },
        { name: 'f', data: 'second' },
      ],
    ],
    'cat /f; ls -ld /g | cut -c1',
    ({ stdout, stderr }) => assert.is(stdout, 'secondd\n', stderr),
  ),
);

live('pax and GNU long names arrive whole', needs, () => {
  const long = `${'n'.repeat(120)}/${'m'.repeat(120)}`;
  return withLayers(
    () => [
      [
        pax({ path: `pax/${long}` }),
        { name: 'short', data: 'pax' },
        { name: '././@LongLink', type: 'L', data: `gnu/${long}\0` },
        { name: 'short', data: 'gnu' },
        pax({ path: 'größe/東京' }),
        { name: 'x', data: 'utf' },
      ],
    ],
    `cat /pax/${long} /gnu/${long} /größe/東京`,
    ({ stdout, stderr }) => assert.is(stdout, 'paxgnuutf', stderr),
  );
});

live('ten thousand folders deep is refused or unpacked, and removed again', needs, () =>
  withLayers(
    () => [[pax({ path: `${'d/'.repeat(10_000)}f` }), { name: 'f', data: 'deep' }]],
    'ls -d /d',
    ({ code, stdout, stderr }) => {
      if (code === 0) assert.is(stdout, '/d\n');
      else assert.match(stderr, /^rootless: /m);
    },
  ),
);

if (mode !== 'single') {
  live('set-uid bits and owners of a layer are kept, inside the mapping', needs, () =>
    withLayers(
      () => [[{ name: 'suid', data: 'x', mode: 0o4755, uid: 7, gid: 8 }]],
      'stat -c "%u:%g %a" /suid',
      ({ stdout, stderr }) => assert.is(stdout, '7:8 4755\n', stderr),
    ),
  );
}

for (const [name, tar] of [
  ['a tar that ends in the middle of a file', tarBytes([{ name: 'f', data: 'x'.repeat(5000) }]).subarray(0, 2048)],
  ['a header with a wrong checksum', spoil(tarBytes([{ name: 'f', data: 'x' }]), 150)],
  ['a size larger than the archive', tarBytes([{ name: 'f', data: 'x', size: 0o77777777 }])],
] as const) {
  live(`${name} is refused`, needs, () =>
    withTmp(async (folder) => {
      const base = tarOf(busyboxRootfs(join(folder, 'rootfs')));
      const image = `oci:${ociLayout(join(folder, 'layout'), [base, Buffer.from(tar)], { Env: ['PATH=/bin'] })}`;
      const { code, stderr } = await rootless(['run', '--rm', '--network', 'none', image, 'true']);
      assert.is(code, 125, stderr);
      assert.match(stderr, /layer|tar|archive/);
    }),
  );
}

live('no half-unpacked layer is left in the store', needs, () => {
  const folders = existsSync(join(data, 'layers')) ? readdirSync(join(data, 'layers')) : [];
  for (const map of folders) {
    const names = readdirSync(join(data, 'layers', map));
    const layers = names.filter((name) => /^[0-9a-f]{24}$/.test(name));
    assert.equal(
      layers.filter((name) => !names.includes(`${name}.json`)),
      [],
    );
  }
});

function spoil(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 0x7;
  return bytes;
}

live.run();
