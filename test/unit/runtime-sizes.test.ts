/** How much a container has written: its own layer, or its copy of the image's files; and how large it is with its image. */

import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { layerName, layersFolder } from '../../src/image/layers.ts';
import { parseDigest } from '../../src/image/digest.ts';
import { findPaths } from '../../src/paths.ts';
import { containerSizes, type Sizes } from '../../src/runtime/sizes.ts';
import { containerFolder, type Listed } from '../../src/runtime/state.ts';
import { containerFacts } from '../support/container-facts.ts';
import { withTmp } from '../support/tmp.ts';

const diffId = parseDigest(`sha256:${'a'.repeat(64)}`);
assert.ok(diffId);
const defaults = { entrypoint: [], cmd: [], env: [], user: '', workingDir: '', volumes: [], stopSignal: undefined, labels: {} };
const layered: Listed = {
  ...containerFacts(),
  base: { kind: 'layers', id: diffId, reference: undefined, diffIds: [diffId], defaults },
  status: 'exited',
  exit: undefined,
  life: undefined,
};

/** The sizes of a container whose folder is filled first; its one layer has 1000 bytes. */
function sizes(container: Listed, fill: (folder: string) => void): Promise<Sizes> {
  return withTmp((tmp) => {
    const paths = findPaths({ HOME: tmp, ROOTLESS_DATA: tmp, XDG_RUNTIME_DIR: tmp });
    const layers = layersFolder(paths, container);
    mkdirSync(layers, { recursive: true });
    const stamp = { diffId, size: 1000, entries: 1, maxUid: 0, maxGid: 0 };
    writeFileSync(join(layers, `${layerName(diffId ?? 'sha256:')}.json`), JSON.stringify(stamp));
    const folder = containerFolder(paths, container.id);
    mkdirSync(folder, { recursive: true });
    fill(folder);
    return containerSizes(paths, container);
  });
}

test('what is in the upper folder was written, each file once, links with their length', async () => {
  const found = await sizes(layered, (folder) => {
    mkdirSync(join(folder, 'upper/deep/er'), { recursive: true });
    writeFileSync(join(folder, 'upper/a'), Buffer.alloc(100));
    linkSync(join(folder, 'upper/a'), join(folder, 'upper/deep/same'));
    writeFileSync(join(folder, 'upper/deep/er/b'), Buffer.alloc(50));
    symlinkSync('1234567', join(folder, 'upper/link'));
    writeFileSync(join(folder, 'config.json'), 'not counted');
  });
  assert.equal(found, { written: 157, whole: 1157 });
});

test('of a copy of the image, what is more than the image', async () => {
  const copy = (bytes: number) =>
    sizes(layered, (folder) => {
      mkdirSync(join(folder, 'rootfs'));
      writeFileSync(join(folder, 'rootfs/a'), Buffer.alloc(bytes));
    });
  assert.equal(await copy(1300), { written: 300, whole: 1300 });
  assert.equal(await copy(900), { written: 0, whole: 1000 });
});

test('nothing was written before the first start, and a folder of the host has no size of its own', async () => {
  assert.equal(await sizes(layered, () => undefined), { written: 0, whole: 1000 });
  assert.equal(await sizes({ ...layered, base: { kind: 'host' } }, (folder) => mkdirSync(join(folder, 'upper'))), { written: 0, whole: 0 });
});

test.run();
