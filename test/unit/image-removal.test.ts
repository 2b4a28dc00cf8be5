/** What rmi and prune take away: docker's rules on names, ids and containers. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import type { Digest } from '../../src/image/digest.ts';
import { findStored } from '../../src/image/find.ts';
import { planPrune } from '../../src/image/prune.ts';
import { familiarReference, type ImageUse, planRemoval } from '../../src/image/removal.ts';
import type { StoredImage } from '../../src/image/store.ts';
import { withImage } from '../../src/image/store-write.ts';

const digest = (digit: string): Digest => `sha256:${digit.repeat(64)}`;

/** An image whose id and manifest are this digit. */
function image(digit: string, name: string | undefined, architecture = 'amd64'): StoredImage {
  const manifest = {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digest(digit),
    size: 1,
    platform: { os: 'linux', architecture },
    annotations: {},
  };
  return {
    name: name === undefined || name.includes('/') ? name : `docker.io/library/${name}`,
    manifest,
    source: digest(digit),
    id: digest(digit),
  };
}

const use = (digit: string, running: boolean): ImageUse => ({ imageId: digest(digit), containerId: 'c'.repeat(64), name: 'web', running });

function plan(images: readonly StoredImage[], wanted: string, force = false, uses: readonly ImageUse[] = []) {
  const { images: left, untagged, deleted } = planRemoval(images, wanted, { force, uses });
  return { left: left.map(({ name, id }) => `${name ?? '<none>'} ${id.charAt(7)}`), untagged, deleted: deleted.map((id) => id.charAt(7)) };
}

function refusal(images: readonly StoredImage[], wanted: string, force: boolean, uses: readonly ImageUse[]): RootlessError {
  try {
    plan(images, wanted, force, uses);
  } catch (error) {
    if (error instanceof RootlessError) return error;
  }
  throw new Error('nothing was refused');
}

test('a name goes, and the image with its last name', () => {
  const images = [image('a', 'x:1'), image('a', 'y:1'), image('b', 'z:1')];
  assert.equal(plan(images, 'x:1'), { left: ['docker.io/library/y:1 a', 'docker.io/library/z:1 b'], untagged: ['x:1'], deleted: [] });
  assert.equal(plan(images, 'z:1'), { left: ['docker.io/library/x:1 a', 'docker.io/library/y:1 a'], untagged: ['z:1'], deleted: ['b'] });
});

test('every platform of a name goes', () => {
  const images = [image('a', 'x:1'), image('b', 'x:1', 'arm64')];
  assert.equal(plan(images, 'x:1'), { left: [], untagged: ['x:1'], deleted: ['a', 'b'] });
});

test('one platform of a name goes alone', () => {
  const images = [image('a', 'x:1'), image('b', 'x:1', 'arm64')];
  const removal = (architecture: string) =>
    planRemoval(images, 'x:1', { force: false, uses: [], platforms: [{ os: 'linux', architecture }] });
  assert.equal(removal('arm64').deleted, [digest('b')]);
  assert.throws(
    () => removal('riscv64'),
    (error: RootlessError) => error.code === 'PLATFORM_NOT_FOUND',
  );
});

test('an id stands for all names of its image, if there is one or it is forced', () => {
  assert.equal(plan([image('a', 'x:1')], 'aaaa'), { left: [], untagged: ['x:1'], deleted: ['a'] });
  assert.equal(plan([image('a', undefined)], digest('a')), { left: [], untagged: [], deleted: ['a'] });
  const two = [image('a', 'x:1'), image('a', 'y:1')];
  const { code, exit } = refusal(two, 'aaaa', false, []);
  assert.equal([code, exit], ['IMAGE_HAS_NAMES', 1]);
  assert.equal(plan(two, 'aaaa', true), { left: [], untagged: ['x:1', 'y:1'], deleted: ['a'] });
});

test('a digest stands for what its repository has under it', () => {
  const images = [image('a', 'x:1'), image('a', 'y:1')];
  assert.equal(plan(images, `x@${digest('a')}`), { left: ['docker.io/library/y:1 a'], untagged: ['x:1'], deleted: [] });
  assert.equal(plan([image('a', `docker.io/library/x@${digest('a')}`)], `x@${digest('a')}`).deleted, ['a']);
});

test('a name wins over an id that begins like it', () => {
  const images = [image('a', 'aaaa:latest'), image('b', 'y:1')];
  assert.equal(plan([...images, image('b', 'bbbb:latest')], 'bbbb').untagged, ['bbbb:latest']);
  assert.equal(plan(images, 'bbbb').deleted, ['b']);
});

test('a short name stands for the only image that ends so, whatever registry it is from', () => {
  const images = [
    image('a', 'localhost/x:1'),
    image('b', 'quay.io/y:1'),
    image('c', 'localhost/y:1'),
    image('d', 'localhost:5000/team/z:1'),
  ];
  assert.equal(plan(images, 'x:1').untagged, ['localhost/x:1']);
  assert.is(refusal(images, 'y:1', false, []).code, 'IMAGE_NOT_FOUND');
  assert.is(refusal(images, 'z:1', false, []).code, 'IMAGE_NOT_FOUND');
  assert.equal(plan(images, 'team/z:1').untagged, ['localhost:5000/team/z:1']);
  assert.is(findStored(images, 'x:1')?.id, digest('a'));
  assert.is(findStored(images, 'y:1'), undefined);
});

test("what is not there is said in docker's words, with docker's exit code", () => {
  const error = refusal([image('a', 'x:1')], 'y', false, []);
  assert.equal([error.code, error.exit, error.message], ['IMAGE_NOT_FOUND', 1, 'no such image: "y"']);
  assert.is(refusal([image('a', 'x:1')], 'sha256:bbbb', false, []).code, 'IMAGE_NOT_FOUND');
});

test('an image in use is refused, naming the container', () => {
  for (const [wanted, force, running] of [
    ['x:1', false, false],
    ['x:1', false, true],
    ['aaaa', false, false],
    ['aaaa', false, true],
    ['aaaa', true, true],
  ] as const) {
    const error = refusal([image('a', 'x:1')], wanted, force, [use('a', running)]);
    assert.equal([error.code, error.exit], ['IMAGE_IN_USE', 1]);
    assert.match(error.message, 'cccccccccccc');
    assert.match(error.why ?? '', '"web"');
  }
});

test('one of several names goes although a container uses the image', () => {
  assert.equal(plan([image('a', 'x:1'), image('a', 'y:1')], 'x:1', false, [use('a', true)]).untagged, ['x:1']);
});

test("by force a stopped container loses its image, and a running one only its image's name", () => {
  assert.equal(plan([image('a', 'x:1')], 'x:1', true, [use('a', false)]).deleted, ['a']);
  assert.equal(plan([image('a', 'x:1')], 'aaaa', true, [use('a', false)]).deleted, ['a']);
  assert.equal(plan([image('a', 'x:1')], 'x:1', true, [use('a', true)]), { left: ['<none> a'], untagged: ['x:1'], deleted: [] });
});

test('prune takes images without a tag, or all, but none that a container was made from', () => {
  const images = [image('a', 'x:1'), image('b', undefined), image('c', `docker.io/library/y@${digest('c')}`), image('d', undefined)];
  const pruned = (all: boolean, uses: readonly ImageUse[] = []) =>
    planPrune(images, uses, all, () => true).deleted.map((id) => id.charAt(7));
  assert.equal(pruned(false), ['b', 'c', 'd']);
  assert.equal(pruned(false, [use('b', false)]), ['c', 'd']);
  assert.equal(pruned(true, [use('a', false)]), ['b', 'c', 'd']);
  assert.equal(planPrune(images, [], true, ({ id }) => id === digest('a')).untagged, ['x:1']);
});

test('a name that is given again leaves the older image as it was asked for', () => {
  const images = [image('a', 'x:1')];
  const named = (displaced: 'by-digest' | 'nameless') => withImage(images, image('b', 'x:1'), displaced).map(({ name }) => name);
  assert.equal(named('by-digest'), [`docker.io/library/x@${digest('a')}`, 'docker.io/library/x:1']);
  assert.equal(named('nameless'), [undefined, 'docker.io/library/x:1']);
  assert.is(withImage(images, image('b', 'x:1', 'arm64'), 'nameless').length, 2);
});

test('the same image packed in another way takes the place of the first, and leaves no nameless row', () => {
  const repacked = { ...image('b', 'x:1'), id: digest('a') };
  const left = withImage([image('a', 'x:1'), image('a', 'y:1')], repacked, 'by-digest');
  assert.equal(
    left.map(({ name, source }) => `${name} ${source.charAt(7)}`),
    ['docker.io/library/y:1 a', 'docker.io/library/x:1 b'],
  );
  assert.equal(plan(left, 'x:1').untagged, ['x:1']);
  assert.is(withImage([{ ...repacked, name: undefined }], image('a', 'x:1'), 'by-digest').length, 1);
  assert.equal(plan(withImage([image('a', 'x:1')], repacked, 'nameless'), 'x:1').deleted, ['a']);
});

test('names are shown as people type them', () => {
  assert.is(familiarReference('docker.io/library/x:1'), 'x:1');
  assert.is(familiarReference(`localhost:5000/a/b@${digest('a')}`), `localhost:5000/a/b@${digest('a')}`);
});

test.run();
