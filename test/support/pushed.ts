/** Images for tests of pushing: layers of noise, in a registry and in the store. */

import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Options, type Output, rootless } from './cli.ts';
import { type Compression, ociLayout, tarOf } from './images.ts';
import { withTmp } from './tmp.ts';

/** An OCI layout of one layer of noise for each size; passes `oci:DIR`. */
export async function withLayout(
  sizes: readonly number[],
  body: (layout: string, folder: string) => Promise<void>,
  compression: Compression = 'gzip',
): Promise<void> {
  await withTmp(async (folder) => {
    const layers = sizes.map((size, index) => {
      const tree = join(folder, `tree-${index}`);
      mkdirSync(tree);
      writeFileSync(join(tree, `noise-${index}`), randomBytes(size));
      return tarOf(tree);
    });
    await body(`oci:${ociLayout(join(folder, 'layout'), layers, { Cmd: ['true'] }, compression)}`, folder);
  });
}

/** Runs rootless, which must succeed. */
export async function done(args: readonly string[], options?: Options): Promise<Output> {
  const output = await rootless(args, options);
  assert.is(output.code, 0, output.stderr);
  return output;
}

/** Runs rootless, which must fail with this code. @returns what it says */
export async function refused(args: readonly string[], code: string, options?: Options): Promise<string> {
  const output = await rootless(['--debug', ...args], options);
  assert.is(output.code, 125, output.stderr);
  assert.match(output.stderr, new RegExp(`\\b${code}\\b`));
  return output.stderr;
}

/** `TAG: digest: DIGEST size: N`, docker's last line of a push. */
export function digestOf({ stdout }: Output): string {
  return /: digest: (sha256:[0-9a-f]{64}) size: [0-9]+$/m.exec(stdout)?.[1] ?? '';
}
