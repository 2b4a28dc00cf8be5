// The guest's disk, kernel and initrd: made once for each state of what describes them, kept in the user's cache.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { hashOf, top } from '../setup.mjs';
import { OutOfTime } from './agent.mjs';

const suite = 'trixie';
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'rootless-lab');
/** What is not asked for during so many days goes. */
const keptDays = 14;

/** Seconds for making the image: half a minute where the mirror is near, and several times that on a busy machine. */
const buildLimit = 20 * 60;

/** No guest can be made here, and nothing is wrong with what makes it: its packages cannot be had. */
export class NoPackages extends Error {}

/**
 * The build waits for another one that is under way.
 * @returns the folder with root.img, vmlinux, initrd.gz and the emulator; throws NoPackages, or OutOfTime after `seconds`
 */
export function ensureImage(seconds = buildLimit) {
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const folder = imageFolder();
  if (!existsSync(join(folder, 'root.img'))) build(folder, Math.min(seconds, buildLimit));
  const now = new Date();
  utimesSync(folder, now, now);
  forgetOld();
  return folder;
}

export function imageFolder() {
  const parts = ['build-image.sh', 'configure.sh', 'emulator', 'guest', 'initrd-init', 'packages.txt', 'unpack-kernel.py'];
  return join(cache, `image-${hashOf(parts.map((name) => join('scripts/vm', name))).slice(0, 12)}`);
}

function build(folder, seconds) {
  if (process.getuid() !== 0) throw new Error('only root can make the image of the guest: run `sudo npm run test:vm` once, with this HOME');
  console.log(`vm: making the guest from Debian packages (${suite}; once)`);
  const begun = performance.now();
  const script = join(top, 'scripts/vm/build-image.sh');
  // `timeout` ends all of it together; the keeper of the lock is flock itself, which ends with the build, however that ends.
  const limit = ['--kill-after=20', String(Math.ceil(seconds))];
  const run = spawnSync('timeout', [...limit, 'flock', join(cache, 'build.lock'), 'bash', script, folder, suite], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (run.status === 75) throw new NoPackages(`the packages of the guest cannot be had: no Debian mirror gives those of ${suite}`);
  if (run.status === 124 || run.status === 137) throw new OutOfTime(`the guest was not made within ${seconds.toFixed(0)} s`);
  if (run.status !== 0) throw new Error(`the guest could not be made (${run.error?.message ?? `exit ${run.status ?? run.signal}`})`);
  console.log(`vm: guest made in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
}

function forgetOld() {
  const oldest = Date.now() - keptDays * 86_400_000;
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (/^(base|image|warm|making)-|\.making$/.test(name) && (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? oldest) < oldest)
      rmSync(path, { recursive: true, force: true });
  }
}
