/** A bundle for the helper alone, as an engine would write it: busybox, `spec --rootless`, and a state folder of its own. */

import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { helper } from './checkout.ts';
import { busyboxRootfs } from './images.ts';
import { withTmp } from './tmp.ts';

// biome-ignore lint/suspicious/noExplicitAny: a document to be changed at will.
export type Config = { [key: string]: any };
export type Result = { readonly code: number | null; readonly stdout: string; readonly stderr: string };
export type Bundle = {
  readonly folder: string;
  /** Runs the helper with a root of its own. */
  readonly call: (...args: string[]) => Result;
  readonly change: (edit: (config: Config) => void) => void;
  readonly status: (id: string) => string | undefined;
};

/** A bundle of `spec --rootless` on busybox; whatever still lives in it is deleted, and nothing may be left of it then. */
export async function withBundle(use: (bundle: Bundle) => Promise<void> | void): Promise<void> {
  await withTmp(async (folder) => {
    busyboxRootfs(join(folder, 'rootfs'));
    const root = join(folder, 'state');
    const call: Bundle['call'] = (...args) => {
      // Into files: a created container holds what it was given, and a pipe would only end with it.
      const files = ['out', 'err'].map((name) => openSync(join(folder, name), 'w'));
      const { status } = spawnSync(helper, ['--root', root, ...args], { cwd: folder, stdio: ['ignore', ...files], timeout: 60_000 });
      for (const file of files) closeSync(file);
      const [stdout = '', stderr = ''] = ['out', 'err'].map((name) => readFileSync(join(folder, name), 'utf8'));
      return { code: status, stdout, stderr };
    };
    assert.is(call('spec', '--rootless').code, 0);
    const file = join(folder, 'config.json');
    const change: Bundle['change'] = (edit) => {
      const config = JSON.parse(readFileSync(file, 'utf8')) as Config;
      edit(config);
      writeFileSync(file, JSON.stringify(config));
    };
    change((config) => {
      config['process'].terminal = false;
      config['root'].readonly = false;
      config['mounts'] = config['mounts'].filter(({ type }: { type: string }) => type !== 'cgroup');
    });
    const status = (id: string) => {
      const { code, stdout } = call('state', id);
      return code === 0 ? (JSON.parse(stdout) as { status: string }).status : undefined;
    };
    try {
      await use({ folder, call, change, status });
    } finally {
      for (const id of existsSync(root) ? readdirSync(root) : []) call('delete', '--force', id);
    }
    assert.equal(existsSync(root) ? readdirSync(root) : [], []);
  });
}

export const program =
  (...args: string[]) =>
  (config: Config): void => {
    config['process'].args = args;
  };

/** A step, what it was done to, and why: on stderr in one line. */
export function refused(result: Result, says: RegExp): void {
  assert.is(result.code, 1, result.stderr);
  assert.is(result.stdout, '');
  assert.match(result.stderr, says);
  assert.is(result.stderr.trimEnd().split('\n').length, 1, result.stderr);
}
