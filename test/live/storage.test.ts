/** Where the kernel's overlay cannot be used: fuse-overlayfs, or a copy, with the same result and nothing left behind. */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { census, leftAfter } from '../support/census.ts';
import { data } from '../support/cli.ts';
import { shell } from '../support/container.ts';
import { ok } from '../support/detached.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const script = 'echo new > /etc/made; rm /bin/sh; ls /bin/sh; test -e /bin/busybox && cat /etc/made && mount | head -n 1';

/** What the probe would have found on a machine without a usable overlay. */
async function withStorage(storage: object, body: () => Promise<void>): Promise<void> {
  await shell([], 'true');
  const file = join(data, 'storage.json');
  const found = readFileSync(file, 'utf8');
  writeFileSync(file, JSON.stringify({ ...(JSON.parse(found) as object), storage }));
  try {
    await body();
  } finally {
    writeFileSync(file, found);
  }
}

function on(storage: object, type: RegExp): Promise<void> {
  return withStorage(storage, async () => {
    const before = census();
    assert.match(await shell([], `${script}; true`), type);
    assert.match(await shell([], 'ls /bin/sh'), /^\/bin\/sh/);
    assert.equal(await leftAfter(before), []);
    assert.equal(readdirSync(join(data, 'containers')), []);
  });
}

live('a copy of the layers serves where nothing can be stacked', ['userns', 'busybox'], () =>
  on({ kind: 'copy' }, /^new\n.* on \/ type (?!overlay|fuse)/),
);

live('with a copy, files that were copied in before the first start are there', ['userns', 'busybox'], () =>
  withStorage({ kind: 'copy' }, () =>
    withTmp(async (folder) => {
      writeFileSync(join(folder, 'given'), 'before the start');
      await ok(['create', '--name', 'early', '--network', 'none', busyboxImage(), 'cat', '/tmp/given']);
      await ok(['cp', join(folder, 'given'), 'early:/tmp']);
      await ok(['cp', 'early:/tmp/given', join(folder, 'back')]);
      assert.is(readFileSync(join(folder, 'back'), 'utf8'), 'before the start');
      assert.is(await ok(['diff', 'early']), 'C /tmp\nA /tmp/given\n');
      assert.is(await ok(['start', '-a', 'early']), 'before the start');
      assert.is(await ok(['start', '-a', 'early']), 'before the start');
      await ok(['rm', 'early']);
    }),
  ),
);

live('fuse-overlayfs serves where the kernel has no overlay for users', ['userns', 'busybox', 'fuse'], () =>
  on({ kind: 'fuse', program: '/usr/bin/fuse-overlayfs' }, /^new\nfuse-overlayfs on \/ /),
);

live.run();
