/** Images whose files belong to ids beyond the user's range: the ids are arranged so that every owner exists. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bin, mode, uid } from '../support/checkout.ts';
import { data, environment } from '../support/cli.ts';
import { type ImageConfig, busyboxRootfs, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { done, refused } from '../support/pushed.ts';
import { withRegistry } from '../support/registry.ts';
import { type Entry, pax, tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
/** All ids exist for root, and none for who has one. */
const ranged = mode === 'ranges' || (mode === 'self' && uid !== 0);
const owners = [0, 33, 1000, 65534, 100_000, 1_000_000, 2 ** 31, 2 ** 32 - 2];
const listing = owners.map((id) => `${id}:${id}`).join('\n');
const stat = 'cd /owned && stat -c %u:%g $(ls | sort -n)';

/** One file for each id, named by it. */
function owned(ids: readonly number[]): Buffer {
  const entries = ids.flatMap((id): Entry[] => [
    pax({ uid: String(id), gid: String(id) }),
    { name: `owned/${id}`, data: String(id), mode: 0o640 },
  ]);
  return tarBytes([{ name: 'owned/', type: '5' }, ...entries]);
}

function imageOf(folder: string, ids: readonly number[], config: ImageConfig = {}, name = 'layout'): string {
  const rootfs = join(folder, `${name}-rootfs`);
  mkdirSync(rootfs);
  const layers = [tarOf(busyboxRootfs(rootfs)), owned(ids)];
  return `oci:${ociLayout(join(folder, name), layers, { Cmd: ['sh'], Env: ['PATH=/bin'], ...config })}`;
}

const run = (flags: readonly string[], image: string, script: string) =>
  done(['run', '--rm', '--network', 'none', ...flags, image, 'sh', '-c', script]).then(({ stdout }) => stdout.trimEnd());

if (ranged) {
  live('owners up to 2^32-2 come out as the image says, also of a second container', needs, () =>
    withTmp(async (folder) => {
      const image = imageOf(folder, owners);
      assert.is(await run([], image, stat), listing);
      assert.is(await run([], image, stat), listing);
      for (const userns of ['keep-id', 'nomap', 'auto']) assert.is(await run(['--userns', userns], image, stat), listing, userns);
    }),
  );

  live('layers without such owners are not unpacked again', needs, () =>
    withTmp(async (folder) => {
      const plain = imageOf(folder, [0, 33]);
      const sparse = imageOf(folder, [0, 33, 777_777], {}, 'sparse');
      await run([], plain, 'true');
      const before = copies();
      await run([], sparse, 'true');
      assert.is(copies(), before + 1, 'the layer with the high owner');
      assert.is(await run(['-u', '5000000:6000000'], plain, 'id -u; id -g'), '5000000\n6000000');
      assert.is(copies(), before + 1);
    }),
  );

  live('a user and groups beyond the range exist where they are asked for', needs, () =>
    withTmp(async (folder) => {
      const image = imageOf(folder, [0, 1_000_000], { User: '1000680000' });
      assert.is(await run([], image, 'id -u; stat -c %u /owned/1000000'), '1000680000\n1000000');
      assert.is(await run(['--group-add', '80000'], image, 'id -G'), '0 80000');
      assert.is(await run(['--userns', 'auto:size=20'], image, 'id -u; stat -c %u /owned/1000000'), '1000680000\n1000000');
    }),
  );

  live('cp, diff, export and commit tell high owners as the container has them', needs, () =>
    withTmp(async (folder) => {
      const image = imageOf(folder, owners);
      const script = 'touch /owned/new && chown 1000000:2147483648 /owned/new && chown 33 /owned/100000';
      await done(['run', '--name', 'sparse', '--network', 'none', image, 'sh', '-c', script]);
      assert.match((await done(['diff', 'sparse'])).stdout, /^A \/owned\/new$/m);
      const tar = join(folder, 'whole.tar');
      await done(['export', '-o', tar, 'sparse']);
      assert.equal(listed(tar, 'owned/'), [...listing.split('\n').map((id) => id.replace('100000:', '33:')), '1000000:2147483648'].sort());
      const copied = join(folder, 'cp.tar');
      writeFileSync(copied, tarOut(['cp', 'sparse:/owned', '-']));
      assert.equal(listed(copied, 'owned/'), listed(tar, 'owned/'));
      await done(['start', 'sparse']);
      await done(['commit', 'sparse', 'sparse:2']);
      const after = await run([], 'sparse:2', `stat -c %u:%g /owned/new; rm /owned/new; ${stat}`);
      assert.is(after, `1000000:2147483648\n${listing.replace('100000:100000', '33:100000')}`);
      await done(['rm', 'sparse']);
    }),
  );

  live('pull, save, load and push leave high owners as they are', needs, () =>
    withTmp(async (folder) => {
      const layout = imageOf(folder, [...owners, 123_456_789]);
      const whose = 'cd /owned && stat -c %u $(ls | sort -n)';
      const expected = [...owners, 123_456_789].sort((a, b) => a - b).join('\n');
      await withRegistry({}, async ({ host, push }) => {
        const name = push(layout, 'high/owners:1');
        const before = copies();
        await done(['pull', name]);
        const after = copies();
        assert.ok(after > before);
        assert.is(await run(['--pull', 'never'], name, whose), expected);
        assert.is(copies(), after, 'pull had unpacked what run needs');
        await done(['push', name, `${host}/high/again:1`]);
        await done(['save', '-o', join(folder, 'saved.tar'), name]);
        await done(['rmi', name]);
        await done(['load', '-i', join(folder, 'saved.tar')]);
        assert.is(await run(['--pull', 'never'], name, whose), expected);
        await done(['rmi', name]);
        assert.is(await run([], `${host}/high/again:1`, whose), expected);
        await done(['system', 'prune', '-af']);
        assert.equal(readdirSync(join(data, 'owners')), [], 'nothing is remembered of images that are gone');
        assert.is((await done(['system', 'check'])).stdout, 'everything is whole\n');
      });
    }),
  );

  live('more owners than the range has ids are refused with both numbers', needs, () =>
    withTmp(async (folder) => {
      const image = imageOf(
        folder,
        Array.from({ length: 30 }, (_, at) => 100_000 + 2 * at),
      );
      assert.match(await refused(['run', '--rm', '--userns', 'auto:size=20', image, 'true'], 'IDS_TOO_FEW'), /needs 31 .* there are 20/);
      assert.is(await run(['--userns', 'auto:size=40'], image, 'stat -c %u /owned/100058'), '100058');
    }),
  );

  live('hundreds of owners far apart are more than a map can tell', needs, () =>
    withTmp(async (folder) => {
      const close = imageOf(
        folder,
        Array.from({ length: 400 }, (_, at) => 100_000 + 2 * at),
        {},
        'close',
      );
      assert.is(await run([], close, 'stat -c %u /owned/100798'), '100798');
      const far = imageOf(
        folder,
        Array.from({ length: 400 }, (_, at) => 100_000 * (at + 1)),
        {},
        'far',
      );
      assert.match(await refused(['run', '--rm', far, 'true'], 'IDS_TOO_FEW'), /401 separate runs/);
    }),
  );
}

live('the id that no system has is refused, with the entry named', needs, () =>
  withTmp(async (folder) => {
    const image = imageOf(folder, [2 ** 32 - 1]);
    assert.match(await refused(['run', '--rm', image, 'true'], 'LAYER_UNPACK_FAILED'), /uid is not a number in range/);
    const beyond = imageOf(folder, [2 ** 32], {}, 'beyond');
    await refused(['run', '--rm', beyond, 'true'], 'LAYER_UNPACK_FAILED');
  }),
);

live.run();

/** Folders of unpacked layers, whatever mapping they are for. */
function copies(): number {
  const layers = join(data, 'layers');
  return readdirSync(layers)
    .flatMap((map) => readdirSync(join(layers, map)))
    .filter((name) => /^[0-9a-f]{24}$/.test(name)).length;
}

/** `UID:GID` of the files below a folder of a tar, sorted. */
function listed(tar: string, below: string): string[] {
  const { stdout } = spawnSync('tar', ['--numeric-owner', '-tvf', tar], { encoding: 'utf8' });
  const lines = stdout.split('\n').filter((text) => text.includes(` ${below}`) && !text.endsWith('/'));
  return lines.map((text) => (text.split(/ +/)[1] ?? '').replace('/', ':')).sort();
}

function tarOut(args: readonly string[]): Buffer {
  const { stdout, status, stderr } = spawnSync(bin, args, { env: environment, maxBuffer: 1 << 26 });
  assert.is(status, 0, stderr.toString());
  return stdout;
}
