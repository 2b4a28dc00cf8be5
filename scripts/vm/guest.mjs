// A guest that takes jobs: from a saved state in seconds, else by a cold boot. Only the start is tried again, never what runs in it.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { OutOfTime, runJob } from './agent.mjs';
import { cache, ensureImage } from './image.mjs';
import { lastWords, machineFlags, startMachine } from './qemu.mjs';
import { poll, withQmp } from './qmp.mjs';

/** Seconds: a cold boot takes 15 to 45 on two processors of their own, and several times that beside other work. */
const bootLimit = 420;
const restoreLimit = 120;

/**
 * Starts a guest and runs `body` with it.
 * @param {{ apparmor?: boolean, warm?: 'make' | 'use' | 'no', prepare?: (folder: string) => void, left?: () => number }} options
 * `warm`: `make` a saved state if there is none, `use` one that is there, or always boot; `prepare` fills the input disk;
 * `left`: seconds until it is too late to start, then OutOfTime is thrown
 */
export async function withGuest({ apparmor = false, warm = 'use', prepare = () => undefined, left = () => 3600 }, body) {
  const image = ensureImage(left());
  const begun = performance.now();
  const { machine, how } = await startSome({ image, apparmor, warm, prepare, left });
  console.log(`vm: ${how} in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  try {
    return await body(machine);
  } finally {
    await stop(machine);
  }
}

async function startSome({ image, apparmor, warm, prepare, left }) {
  const ways = [];
  if (!apparmor && warm !== 'no') {
    const saved = warmFolder(image);
    if (warm === 'make' && !existsSync(join(saved, 'state'))) await saveWarm(image, saved).catch(tell);
    if (existsSync(join(saved, 'state')))
      ways.push({ how: 'restored', disk: join(saved, 'root.img'), state: join(saved, 'state'), limit: restoreLimit });
  }
  for (const how of ['booted', 'booted at the second attempt']) ways.push({ how, disk: join(image, 'root.img'), limit: bootLimit });
  let failure;
  for (const { how, disk, state, limit: most } of ways) {
    const limit = Math.min(most, left());
    if (limit <= 0) throw new OutOfTime('the guest did not start in the time that was left');
    const machine = begin({ image, disk, state, apparmor, prepare });
    try {
      if (state !== undefined) await goOn(machine, limit);
      await ready(machine, limit);
      return { machine, how };
    } catch (error) {
      failure = new Error(`the guest did not start: ${error.message}\n${lastWords(machine)}`);
      tell(failure);
      await stop(machine);
      if (state !== undefined) rmSync(warmFolder(image), { recursive: true, force: true });
    }
  }
  throw left() <= 0 ? new OutOfTime(failure.message) : failure;
}

function begin({ prepare, ...options }) {
  const folder = mkdtempSync(join(tmpdir(), 'rootless-vm-'));
  prepare(folder);
  return startMachine({ ...options, folder });
}

/** A restored machine stands still until it is told to go on. */
function goOn(machine, seconds) {
  return withQmp(join(machine.folder, 'qmp.sock'), async (execute) => {
    await poll(
      () => execute('query-status'),
      ({ status }) => status !== 'inmigrate',
      seconds,
    );
    await execute('cont');
  });
}

async function ready(machine, seconds) {
  const status = await runJob(machine, 'exit 7', { seconds });
  if (status !== 7) throw new Error(`its agent answers ${status}`);
}

async function stop(machine) {
  const seconds = processorSeconds(machine.child.pid);
  if (seconds !== undefined) console.log(`vm: the emulator used ${seconds.toFixed(0)} s of processor time`);
  machine.child.kill('SIGKILL');
  await machine.ended;
  rmSync(machine.folder, { recursive: true, force: true });
}

/** utime and stime of proc_pid_stat(5), in hundredths. */
function processorSeconds(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

/** A state fits one image (with its QEMU), one processor and one set of flags: all of them are in its name. */
function warmFolder(image) {
  const cpu = /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
  const hash = createHash('sha256').update(JSON.stringify([cpu, machineFlags({ apparmor: false }), warmUp]));
  return join(cache, `warm-${basename(image).slice('image-'.length)}-${hash.digest('hex').slice(0, 12)}`);
}

/** What every job needs once: modules, and pages of programs in memory. */
const warmUp = `modprobe -a overlay tun veth bridge fuse
lab-as user bash -c 'node -e 0; podman --version; unshare -Ur --map-auto true; systemctl --user --quiet is-system-running'
sync`;

/** Boots once and writes memory and disk down. */
async function saveWarm(image, saved) {
  console.log('vm: saving a booted guest, so that the next ones start in seconds (once)');
  const making = mkdtempSync(join(cache, 'making-'));
  const disk = join(making, 'root.img');
  spawnSync('cp', ['--sparse=always', join(image, 'root.img'), disk]);
  const machine = begin({ image, disk, keep: true, apparmor: false, prepare: () => undefined });
  try {
    await ready(machine, bootLimit);
    await runJob(machine, warmUp, { seconds: bootLimit });
    await withQmp(join(machine.folder, 'qmp.sock'), async (execute) => {
      await execute('stop');
      await execute('migrate-set-parameters', { 'max-bandwidth': 10 * 2 ** 30 });
      await execute('migrate', { uri: `exec:cat > ${join(making, 'state.part')}` });
      const { status } = await poll(
        () => execute('query-migrate'),
        (answer) => ['completed', 'failed'].includes(answer.status),
        300,
      );
      if (status !== 'completed') throw new Error('QEMU could not write its state');
      await execute('quit').catch(() => undefined);
    });
    await machine.ended;
    renameSync(join(making, 'state.part'), join(making, 'state'));
    renameSync(making, saved);
  } finally {
    await stop(machine);
    rmSync(making, { recursive: true, force: true });
  }
}

function tell(error) {
  console.log(`vm: ${error.message}`);
}
