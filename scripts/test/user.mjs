// An unprivileged user for the live tests, made by root, and a private copy of the built product that this user can read.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { top } from '../setup.mjs';

/** @returns {{ name: string, home: string, uid: number }} */
export function ensureUser(name, withRanges) {
  if (!account(name)) must('useradd', ['--create-home', '--shell', '/bin/bash', name]);
  for (const [file, add, del] of [
    ['/etc/subuid', '--add-subuids', '--del-subuids'],
    ['/etc/subgid', '--add-subgids', '--del-subgids'],
  ]) {
    const rows = ranges(file);
    const own = rows.filter((row) => row.name === name);
    if (withRanges && !own.some((row) => row.count >= 65536)) must('usermod', [add, freeRange(rows), name]);
    if (!withRanges) for (const row of own) must('usermod', [del, `${row.first}-${row.first + row.count - 1}`, name]);
  }
  return account(name);
}

/** A folder that only the user can enter: built product, test bundles, runtime folder, temporary folder. */
export function privateCopy(user, bundles, debian) {
  const folder = mkdtempSync(join(tmpdir(), `${user.name}-`));
  const checkout = join(folder, 'checkout');
  const tests = join(folder, 'tests');
  for (const name of ['run', 'tmp', 'checkout']) mkdirSync(join(folder, name), { mode: 0o700 });
  for (const name of ['bin', 'dist', 'package.json']) cpSync(join(top, name), join(checkout, name), { recursive: true });
  cpSync(bundles, tests, { recursive: true });
  const image = join(folder, 'debian.tar');
  if (existsSync(debian)) cpSync(debian, image);
  must('chown', ['-R', `${user.name}:`, folder]);
  const as = (argv) => ['runuser', ['-u', user.name, '--', ...argv]];
  const env = {
    PATH: '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin',
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    LANG: 'C.UTF-8',
    XDG_RUNTIME_DIR: join(folder, 'run'),
    TMPDIR: join(folder, 'tmp'),
    ROOTLESS_CHECKOUT: checkout,
    ROOTLESS_TEST_DEBIAN: image,
  };
  const remove = () => spawnSync('rm', ['-rf', folder]);
  return { tests, as, env, node: nodeFor(as, folder, user), remove };
}

/** This Node, or a copy of it where the user cannot reach it (for example below /root). */
function nodeFor(as, folder, user) {
  const [program, args] = as([process.execPath, '--version']);
  if (spawnSync(program, args, { stdio: 'ignore' }).status === 0) return process.execPath;
  const copy = join(folder, 'node/bin/node');
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(process.execPath, copy);
  must('chown', ['-R', `${user.name}:`, join(folder, 'node')]);
  return copy;
}

function account(name) {
  const row = spawnSync('getent', ['passwd', name], { encoding: 'utf8' }).stdout?.trim().split(':') ?? [];
  return row.length < 7 ? undefined : { name, uid: Number(row[2]), home: row[5] };
}

function ranges(file) {
  if (!existsSync(file)) return [];
  const rows = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  return rows.map((line) => line.split(':')).map(([name, first, count]) => ({ name, first: Number(first), count: Number(count) }));
}

/** The first 65536 ids above every range that is listed, never below 100000. */
function freeRange(rows) {
  const first = Math.max(100000, ...rows.map((row) => row.first + row.count));
  return `${first}-${first + 65535}`;
}

function must(program, args) {
  const run = spawnSync(program, args, { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${run.stderr || run.error}`);
}
