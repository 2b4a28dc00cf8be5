/** The file tree of an image, entry by entry, beside what podman makes of the same image: type, mode, owner, links, times, attributes, content. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ociArchive } from '../support/archive.ts';
import { bin } from '../support/checkout.ts';
import { rootless } from '../support/cli.ts';
import { busyboxRootfs, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { type Entry, pax, tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

/** A capability of a file, as `setcap cap_net_bind_service+ep` writes it (version 2). */
const capability =
  '\u0001\u0000\u0000\u0002\u0000\u0004\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000';

const first: readonly Entry[] = [
  { name: 'rich/', type: '5', mode: 0o2775, uid: 1, gid: 42 },
  { name: 'rich/owned', data: 'x', uid: 33, gid: 34, mode: 0o640 },
  { name: 'rich/nobody', data: '', uid: 65534, gid: 65534 },
  { name: 'rich/suid', data: 'x', mode: 0o4755, uid: 5 },
  { name: 'rich/sticky/', type: '5', mode: 0o1777 },
  { name: 'rich/hard', type: '1', link: 'rich/owned', uid: 33, gid: 34, mode: 0o640 },
  { name: 'rich/soft', type: '2', link: '../etc/passwd', uid: 7, gid: 8 },
  { name: 'rich/pipe', type: '6', mode: 0o620, uid: 9 },
  pax({ mtime: '1234567890.123456789', 'SCHILY.xattr.user.note': 'kept' }),
  { name: 'rich/timed', data: 'time' },
  pax({ 'SCHILY.xattr.security.capability': capability }),
  { name: 'rich/capable', data: '#!/bin/true', mode: 0o755 },
  pax({ path: `rich/${'long-name-'.repeat(20)}` }),
  { name: 'short', data: 'long' },
  { name: 'rich/gone', data: 'gone' },
  { name: 'rich/opaque/', type: '5' },
  { name: 'rich/opaque/hidden', data: 'hidden' },
];

const second: readonly Entry[] = [
  { name: 'rich/', type: '5', mode: 0o751, uid: 2, gid: 3 },
  { name: 'rich/.wh.gone', data: '' },
  { name: 'rich/opaque/', type: '5' },
  { name: 'rich/opaque/.wh..wh..opq', data: '' },
  { name: 'rich/opaque/new', data: 'new' },
  { name: 'rich/timed', data: 'other', uid: 3 },
];

/** One line an entry, and one for each attribute. */
const listing = `find rich ! -type l -printf '%p %y %m %U:%G %n %s %T@\\n' | sed -E 's/( d [0-7]+ [0-9:]+) [0-9]+ [0-9]+ /\\1 /' | sort
  find rich -type l -printf '%p %y %U:%G %l\\n' | sort
  find rich -type f -exec sha256sum {} + | sort
  find rich -type f | sort | xargs -d '\\n' getfattr -h -d -m '^(user|security)[.](note|capability)$' -e hex 2>/dev/null || true`;

live('a tree is what podman makes of the same image', ['userns', 'overlay', 'busybox'], () =>
  withTmp(async (folder) => {
    if (spawnSync('podman', ['--version']).status !== 0) return console.log('podman is not installed: nothing to compare with');
    const layers = [tarOf(busyboxRootfs(join(folder, 'rootfs'))), tarBytes(first), tarBytes(second)];
    const layout = ociLayout(join(folder, 'layout'), layers, { Env: ['PATH=/bin'] });
    const ours = await tree(layout);
    const theirs = podmanTree(folder, layout);
    assert.ok(ours.length > 20, ours.join('\n'));
    assert.equal(ours, theirs);
  }),
);

async function tree(layout: string): Promise<string[]> {
  const loaded = await rootless(['load', '-q', '-i', layout]);
  assert.is(loaded.code, 0, loaded.stderr);
  const id = /[0-9a-f]{12,64}\s*$/.exec(loaded.stdout.trim())?.[0] ?? 'latest';
  const ran = await rootless(['run', '--rm', '--network', 'none', id, 'true']);
  assert.is(ran.code, 0, ran.stderr);
  const script = `cd $("$0" -- "$1" image mount "$2") && ${listing}`;
  const seen = await rootless(['unshare', 'sh', '-c', script, process.execPath, bin, id]);
  assert.is(seen.code, 0, seen.stderr);
  return lines(seen.stdout);
}

function podmanTree(folder: string, layout: string): string[] {
  const storage = ['--root', join(folder, 'podman'), '--runroot', join(folder, 'podman-run')];
  const archive = ociArchive(join(folder, 'archive.tar'), layout);
  const podman = `podman ${storage.join(' ')}`;
  const script = `set -e; ${podman} load -q -i ${archive} >&2; cd $(${podman} image mount $(${podman} images -q)); ${listing}`;
  const run = spawnSync('podman', [...storage, 'unshare', 'sh', '-c', script], { encoding: 'utf8' });
  spawnSync('podman', [...storage, 'unshare', 'rm', '-rf', join(folder, 'podman'), join(folder, 'podman-run')]);
  assert.is(run.status, 0, run.stderr);
  return lines(run.stdout);
}

function lines(text: string): string[] {
  return text.trimEnd().split('\n');
}

live.run();
