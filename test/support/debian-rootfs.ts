/** A root filesystem of Debian with systemd: the packages of the guest that it needs, copied file by file as dpkg lists them. */

import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const wanted = [
  'base-files',
  'base-passwd',
  'bash',
  'coreutils',
  'dash',
  'grep',
  'libc-bin',
  'mount',
  'sed',
  'systemd',
  'systemd-sysv',
  'util-linux',
];

export function debianRootfs(folder: string): string {
  const paths = new Set(closure(wanted).flatMap(filesOf));
  const list = [...paths].filter((path) => path !== '/.' && isPlain(path) && !/^\/usr\/share\/(doc|man|locale|info)\//.test(path));
  const pack = spawnSync('tar', ['-cf', '-', '--no-recursion', '--ignore-failed-read', '-C', '/', '-T', '-'], {
    input: list.map((path) => `.${path}`).join('\n'),
    maxBuffer: 1 << 30,
  });
  const unpack = spawnSync('tar', ['-xf', '-', '--no-same-owner', '-C', folder], { input: pack.stdout });
  if (unpack.status !== 0) throw new Error(`tar: ${unpack.stderr}`);
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    if (!existsSync(join(folder, name))) symlinkSync(`usr/${name}`, join(folder, name));
  }
  for (const name of ['etc', 'proc', 'sys', 'dev', 'run', 'tmp', 'var/log', 'root']) mkdirSync(join(folder, name), { recursive: true });
  for (const name of ['passwd', 'group', 'nsswitch.conf', 'ld.so.cache'])
    writeFileSync(join(folder, 'etc', name), readFileSync(join('/etc', name)));
  writeFileSync(join(folder, 'etc/machine-id'), '');
  return folder;
}

/** These packages and all that they depend on. */
function closure(names: readonly string[]): string[] {
  const all = new Map(
    readFileSync('/var/lib/dpkg/status', 'utf8')
      .split('\n\n')
      .map((text) => [field(text, 'Package'), text]),
  );
  const found = new Set<string>();
  const queue = [...names];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const text = all.get(name);
    if (text === undefined || found.has(name)) continue;
    found.add(name);
    for (const line of ['Depends', 'Pre-Depends'].map((key) => field(text, key))) {
      queue.push(...line.split(/[,|]/).map((word) => word.trim().split(/[ :(]/, 1)[0] ?? ''));
    }
  }
  return [...found];
}

function field(text: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
}

function filesOf(name: string): string[] {
  const info = ['', ':amd64', ':arm64'].map((arch) => `/var/lib/dpkg/info/${name}${arch}.list`).find((path) => existsSync(path));
  return info === undefined ? [] : readFileSync(info, 'utf8').split('\n').filter(Boolean);
}

/** Debian's lists name /bin/sh too, which is below a link since /usr was merged. */
function isPlain(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found !== undefined && !/^\/(bin|sbin|lib|lib64)(\/|$)/.test(path);
}
