// A small real Debian or Ubuntu root filesystem as a tar, made once with mmdebstrap from this machine's own apt sources.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { onPath } from '../packages.mjs';
import { top } from '../setup.mjs';

/** Path of the tar; the file is missing when it cannot be made, and tests that need it then say so. */
export function debianArchive() {
  const path = join(top, '.cache/debian.tar');
  if (existsSync(path) || !onPath('mmdebstrap')) return path;
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable';
  const begun = performance.now();
  console.log(`live: making a ${codename} root filesystem (once)`);
  mkdirSync(join(top, '.cache'), { recursive: true });
  const mode = process.getuid() === 0 ? 'root' : 'unshare';
  const slim = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*'].map((glob) => `--dpkgopt=path-exclude=${glob}`);
  const args = [
    '--quiet',
    `--mode=${mode}`,
    '--variant=minbase',
    ...slim,
    '--include=adduser',
    '--format=tar',
    codename,
    `${path}.part`,
    '-',
  ];
  const run = spawnSync('mmdebstrap', args, { input: sources(), stdio: ['pipe', 'inherit', 'inherit'], timeout: 10 * 60_000 });
  if (run.status === 0) renameSync(`${path}.part`, path);
  else rmSync(`${path}.part`, { force: true });
  console.log(
    `live: root filesystem ${run.status === 0 ? 'made' : 'could not be made'}, ${((performance.now() - begun) / 1000).toFixed(0)} s`,
  );
  return path;
}

/** The distribution's own list, old form or deb822; nothing that an administrator added beside it. */
function sources() {
  const places = ['debian.sources', 'ubuntu.sources'].map((name) => join('/etc/apt/sources.list.d', name));
  const path = [...places, '/etc/apt/sources.list'].find((place) => existsSync(place));
  return path === undefined ? '' : readFileSync(path, 'utf8');
}
