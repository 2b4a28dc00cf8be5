/** Platforms as people write them, and the choice from an index. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { choosePlatform, distance, formatPlatform, parsePlatform } from '../../src/image/platform.ts';

for (const [text, shown] of [
  ['linux/amd64', 'linux/amd64'],
  ['amd64', 'linux/amd64'],
  ['x86_64', 'linux/amd64'],
  ['linux/aarch64', 'linux/arm64'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['arm/v6', 'linux/arm/v6'],
  ['armhf', 'linux/arm/v7'],
  ['linux/arm', 'linux/arm/v7'],
  ['Linux/AMD64', 'linux/amd64'],
  ['linux/amd64/v3', 'linux/amd64/v3'],
] as const) {
  test(`"${text}" is ${shown}`, () => assert.is(formatPlatform(parsePlatform(text)), shown));
}

for (const text of ['', '/', 'linux/', 'a/b/c/d', 'linux/amd 64', '../x', 'linux//v7']) {
  test(`platform "${text}" is refused`, () => {
    assert.throws(
      () => parsePlatform(text),
      (error: { code?: string }) => error.code === 'PLATFORM_INVALID',
    );
  });
}

test('a newer processor runs the older variant, never the reverse', () => {
  assert.is(distance(parsePlatform('arm/v7'), parsePlatform('arm/v6')), 1);
  assert.is(distance(parsePlatform('arm/v6'), parsePlatform('arm/v7')), undefined);
  assert.is(distance(parsePlatform('amd64'), parsePlatform('amd64/v3')), undefined);
  assert.is(distance(parsePlatform('amd64/v3'), parsePlatform('amd64')), 2);
  assert.is(distance(parsePlatform('arm64'), parsePlatform('arm/v7')), undefined);
});

const offers = (...texts: string[]) => texts.map((text) => ({ platform: parsePlatform(text), text }));

test('the nearest variant is chosen, and the first of equals', () => {
  assert.is(choosePlatform(offers('amd64', 'arm/v5', 'arm/v7', 'arm/v6'), parsePlatform('arm/v6'), 'x').text, 'arm/v6');
  assert.is(choosePlatform(offers('arm/v5', 'arm/v6'), parsePlatform('arm/v7'), 'x').text, 'arm/v6');
  const [first, second] = offers('amd64', 'amd64');
  assert.is(
    choosePlatform(
      [first, second].flatMap((one) => one ?? []),
      parsePlatform('amd64'),
      'x',
    ),
    first,
  );
});

test('a lone entry without a platform is taken', () => {
  const lone = { platform: undefined };
  assert.is(choosePlatform([lone], parsePlatform('amd64'), 'x'), lone);
});

test('a missing platform names what there is', () => {
  assert.throws(
    () => choosePlatform(offers('arm64', 's390x'), parsePlatform('amd64'), 'x'),
    (error: { code?: string; why?: string }) =>
      error.code === 'PLATFORM_NOT_FOUND' && error.why === 'it is made for linux/arm64, linux/s390x',
  );
});

test.run();
