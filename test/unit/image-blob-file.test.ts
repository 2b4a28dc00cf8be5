/** A blob that is written while it arrives: order, what the other reader gets, and what is heard of a failure. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BlobFile } from '../../src/image/blob-file.ts';
import { addBlob, addUnknown } from '../../src/image/blobs.ts';
import { digestOf } from '../../src/image/digest.ts';
import { blobFile } from '../../src/image/store.ts';
import { findPaths } from '../../src/paths.ts';

const content = Buffer.from(Array.from({ length: 3_000_001 }, (_, at) => (at * 7 + (at >> 8)) & 255));

/** In pieces of sizes that never fit. */
async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 3 + 1) % 300_007) {
    yield bytes.subarray(at, at + size);
    if (size === 0) size = 1;
  }
}

test('all pieces are written and passed on in order, large ones and small ones', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'blob-'));
  try {
    const passed: Uint8Array[] = [];
    const file = await BlobFile.create(join(folder, 'x'), async (bytes) => void passed.push(Buffer.from(bytes)));
    for await (const piece of pieces(content)) await file.write(piece);
    await file.end();
    await file.close();
    assert.ok(readFileSync(join(folder, 'x')).equals(content));
    assert.ok(Buffer.concat(passed).equals(content));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an empty file is one, and nothing is passed on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'blob-'));
  try {
    const file = await BlobFile.create(join(folder, 'x'), async () => assert.unreachable());
    await file.end();
    await file.close();
    assert.is(readFileSync(join(folder, 'x')).length, 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('who cannot take more is heard of at the latest at the end, and no blob appears', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'blob-'));
  const paths = findPaths({ HOME: folder, ROOTLESS_DATA: folder });
  const expected = { digest: digestOf(content), size: content.length };
  try {
    for (const failAt of [0, content.length - 1]) {
      let taken = 0;
      const tee = async (bytes: Uint8Array) => {
        taken += bytes.length;
        if (taken > failAt) throw new Error('full');
      };
      const message = await addBlob(paths, expected, pieces(content), tee).then(
        () => 'stored',
        (cause: Error) => cause.message,
      );
      assert.is(message, 'full');
      assert.not.ok(existsSync(blobFile(paths, expected.digest)));
    }
    await addBlob(paths, expected, pieces(content));
    assert.ok(readFileSync(blobFile(paths, expected.digest)).equals(content));
    assert.equal(await addUnknown(paths, pieces(content)), expected);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
