// Live tests start real containers as an unprivileged user. Root makes such users first: one with subordinate ids, one without,
// hands each a private copy of what was built, and runs a smaller suite as root too.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { top } from '../setup.mjs';
import { debianArchive } from './debian.mjs';
import { bundles, runFiles } from './files.mjs';
import { ensureUser, privateCopy } from './user.mjs';

/** Files that count processes, mounts or folders: nothing else may run beside them. */
const alone = ['kill', 'faults-life', 'network-holder', 'ahead'];
/** What is worth running again with the other two ways of mapping ids. */
const asRoot = ['run-basic', 'isolation', 'stdio', 'ids', 'subid', 'mounts', 'kill', 'lifecycle', 'detach', 'networks', 'network-uplink'];
const asSingle = [
  'run-basic',
  'isolation',
  'ids',
  'emulation',
  'mounts',
  'volumes',
  'kill',
  'lifecycle',
  'faults-life',
  'networks',
  'network-uplink',
];
const seconds = 900;
/** Checkouts whose suites run at the same time on one machine each name their own. */
const account = process.env.ROOTLESS_TEST_USER ?? 'rootless-ci';

export async function runLive(tally, files) {
  if (files.length === 0) return;
  const debian = debianArchive();
  if (process.getuid() !== 0) return liveAsSelf(tally, files, debian);
  openDevices();
  const only = (names) => files.filter(({ name }) => names.includes(name));
  await liveAsUser(tally, files, debian, ensureUser(account, true), 'ranges');
  await liveAsUser(tally, only(asSingle), debian, ensureUser(`${account}-one`, false), 'single');
  await liveAsRoot(tally, only(asRoot), debian);
}

async function liveAsUser(tally, files, debian, user, mode) {
  const copy = privateCopy(user, bundles, debian);
  try {
    const env = { ...copy.env, ROOTLESS_TEST_MODE: mode, ...strict(copy.as(['unshare', '-U', 'true'])) };
    const launch = (bundle) => [...copy.as([copy.node, join(copy.tests, bundle.slice(bundles.length))]), env];
    await runFiles(tally, files, { seconds, label: ` as ${user.name} (${mode})`, launch, alone });
  } finally {
    copy.remove();
  }
}

async function liveAsRoot(tally, files, debian) {
  const folder = mkdtempSync(join(tmpdir(), 'rootless-live-root-'));
  const env = { ...process.env, ...place(folder, debian), ROOTLESS_TEST_MODE: 'root', ...strict(['unshare', ['-U', 'true']]) };
  await runFiles(tally, files, { seconds, label: ' as root', launch: (bundle) => [process.execPath, [bundle], env], alone });
  spawnSync('rm', ['-rf', folder]);
}

async function liveAsSelf(tally, files, debian) {
  const folder = mkdtempSync(join(tmpdir(), 'rootless-live-'));
  const env = { ...process.env, ...place(folder, debian), ROOTLESS_TEST_MODE: 'self', ...strict(['unshare', ['-U', 'true']]) };
  await runFiles(tally, files, { seconds, label: '', launch: (bundle) => [process.execPath, [bundle], env], alone });
  spawnSync(process.execPath, [join(top, 'bin/rootless'), 'unshare', 'rm', '-rf', folder], { env });
}

/** Private folders for everything that rootless writes. */
function place(folder, debian) {
  const run = join(folder, 'run');
  const temporary = join(folder, 'tmp');
  for (const path of [run, temporary]) mkdirSync(path, { mode: 0o700 });
  return { XDG_RUNTIME_DIR: run, TMPDIR: temporary, ROOTLESS_CHECKOUT: top, ROOTLESS_TEST_DEBIAN: debian };
}

/** Where user namespaces work, a skip is a failure. */
function strict([program, args]) {
  const works = spawnSync(program, args, { stdio: 'ignore' }).status === 0;
  return works ? { ROOTLESS_TEST_NO_SKIP: '1' } : {};
}

/** udev gives /dev/net/tun and /dev/fuse mode 0666; machines without udev keep the kernel's 0600, and pasta and fuse-overlayfs need them. */
function openDevices() {
  for (const path of ['/dev/net/tun', '/dev/fuse']) {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode;
    if (mode === undefined || (mode & 0o666) === 0o666) continue;
    console.log(`live: chmod 0666 ${path}, as udev would`);
    chmodSync(path, 0o666);
  }
}
