/** The guest of `npm run test:vm`: its users' places (scripts/vm/guest/usr/local/bin/lab-as), and what systemd says. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { slowness } from './slow.ts';

export type Ran = { readonly code: number | null; readonly out: string };

/** Runs a shell script as root; both streams together. */
export function root(script: string): Ran {
  return spawned('sudo', ['bash', '-c', script]);
}

/** Runs a shell script in a place: `user`, `session` or `bare`, of ana or of another one (`session:ben`). The product is in PATH. */
export function inPlace(place: string, script: string): Ran {
  return spawned('sudo', ['lab-as', place, 'bash', '-c', script]);
}

function spawned(program: string, args: readonly string[]): Ran {
  const run = spawnSync(program, args, { encoding: 'utf8', timeout: 40_000 * slowness, maxBuffer: 1 << 26 });
  return { code: run.status, out: `${run.stdout}${run.stderr}` };
}

/** The output of what must succeed. */
export function good({ code, out }: Ran): string {
  assert.is(code, 0, `exit ${code}: ${out}`);
  return out.trimEnd();
}

/** A root filesystem with busybox that every user of the guest can read and none can change, mount points included; made once a boot. */
export const rootfs = '/tmp/lab-rootfs';

export function makeRootfs(): void {
  if (existsSync(join(rootfs, 'done'))) return;
  const applets = 'sh cat sleep true tail id echo nproc grep ls wget httpd logger mkdir seq yes'.split(' ');
  const script = [
    `mkdir -p ${rootfs} && cd ${rootfs} && mkdir -p bin dev etc proc run sys tmp && touch etc/hostname etc/hosts etc/resolv.conf`,
    `cp /bin/busybox bin/ && for name in ${applets.join(' ')}; do ln -sf busybox bin/$name; done && touch done`,
  ];
  good(root(script.join(' && ')));
}

/** Below the users' slice: cgroups of containers, or of the scopes around them. */
export function containerGroups(): string[] {
  return walk('/sys/fs/cgroup/user.slice').filter((path) => /rootless/.test(path) && !/lab|test/.test(path));
}

function walk(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
  return names.flatMap((name) => [join(folder, name), ...walk(join(folder, name))]);
}

/** Names of units of ana's systemd that are rootless's own, loaded in any state. */
export function rootlessUnits(): string[] {
  const list = spawnSync('systemctl', ['--user', '--all', '--plain', '--no-legend', 'list-units', '*rootless*'], { encoding: 'utf8' });
  return list.stdout
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
    .filter((name) => name !== '');
}
