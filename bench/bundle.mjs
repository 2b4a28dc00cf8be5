// runc's own rootless bundle with busybox, changed only to run `true` without a terminal.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes it in the folder; answers the path of its root filesystem. */
export function makeBundle(folder) {
  const rootfs = join(folder, 'rootfs');
  mkdirSync(join(rootfs, 'bin'), { recursive: true });
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'etc']) mkdirSync(join(rootfs, name));
  const busybox = spawnSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).stdout.trim();
  copyFileSync(busybox, join(rootfs, 'bin/busybox'));
  for (const name of ['true', 'sh', 'sleep']) symlinkSync('busybox', join(rootfs, 'bin', name));
  spawnSync('runc', ['spec', '--rootless'], { cwd: folder });
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8'));
  config.process.terminal = false;
  config.process.args = ['true'];
  writeFileSync(path, JSON.stringify(config));
  return rootfs;
}
