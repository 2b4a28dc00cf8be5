/** The helper's program in a sandbox: dist/helper.wasm on hostile bytes, for `validate` and `layer ls|check`. */

/// <reference path="./webassembly.d.ts" />

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { runWasi, type SandboxResult } from './wasi.ts';

export type { SandboxResult } from './wasi.ts';

let compiled: WebAssembly.Module | undefined;

/**
 * `rootless-helper ARGS` with nothing but these bytes as its stdin.
 * @throws RootlessError SANDBOX_MISSING when this checkout has not been built
 */
export function runSandboxed(args: readonly string[], stdin: Uint8Array, paths: Pick<Paths, 'dist'>): SandboxResult {
  compiled ??= compile(join(paths.dist, 'helper.wasm'));
  return runWasi(compiled, args, stdin);
}

function compile(path: string): WebAssembly.Module {
  try {
    return new WebAssembly.Module(readFileSync(path));
  } catch (cause) {
    throw new RootlessError({
      code: 'SANDBOX_MISSING',
      message: `cannot load the sandboxed helper from "${path}"`,
      why: (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'this checkout has not been built' : String(cause),
      fix: 'npm run build',
      cause,
    });
  }
}
