// One QEMU process: software emulation of a PC with two processors, a disk that is thrown away, and a port for jobs.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The kernel is told what makes emulated boots quick; AppArmor costs seconds and is asked for where it is tested. */
const quick =
  'console=ttyS0 quiet loglevel=3 net.ifnames=0 mitigations=off nowatchdog audit=0 selinux=0 random.trust_cpu=on tsc=reliable no_timer_check rcupdate.rcu_expedited=1 cryptomgr.notests systemd.show_status=0';
const security = { off: 'apparmor=0 lsm=landlock,yama', apparmor: 'apparmor=1 lsm=landlock,yama,apparmor' };

/** Megabytes of the guest, and of translated code. */
const memory = 2048;
const translated = 1024;
/** Room for what is handed in. */
const inputSize = 2 ** 30;

/** The machine without its files: a saved state fits only the very same one. */
export function machineFlags({ apparmor }) {
  return [
    ...['-M', 'q35,usb=off,vmport=off,sata=off,smbus=off', '-nodefaults', '-no-user-config'],
    ...['-accel', `tcg,thread=multi,tb-size=${translated}`, '-cpu', 'max,la57=off,svm=off', '-smp', '2', '-m', String(memory)],
    ...['-display', 'none', '-vga', 'none', '-no-reboot', '-monitor', 'none'],
    ...['-device', 'virtio-blk-pci,drive=root', '-device', 'virtio-blk-pci,drive=input', '-device', 'virtio-rng-pci'],
    ...['-netdev', 'user,id=net,restrict=on', '-device', 'virtio-net-pci,netdev=net,romfile='],
    ...['-device', 'virtio-serial-pci', '-device', 'virtserialport,chardev=lab,name=lab'],
    ...['-append', `${quick} ${apparmor ? security.apparmor : security.off}`],
  ];
}

/**
 * Starts the emulator; sockets, console and input disk are in `folder`.
 * @param {{ image: string, disk: string, folder: string, apparmor: boolean, keep?: boolean, state?: string }} options
 * `keep`: what the guest writes stays on the disk; `state`: a saved state to go on from, paused
 * @returns {{ folder: string, ended: Promise<string>, child: import('node:child_process').ChildProcess }}
 */
export function startMachine({ image, disk, folder, apparmor, keep = false, state }) {
  const input = join(folder, 'input.img');
  if (!existsSync(input)) writeFileSync(input, '');
  truncateSync(input, inputSize);
  const drive = (id, file, more = '') => ['-drive', `if=none,id=${id},file=${file},format=raw,cache=unsafe${more}`];
  const socket = (name) => `path=${join(folder, name)},server=on,wait=off`;
  const log = openSync(join(folder, 'qemu.log'), 'a');
  const args = [
    ...drive('root', disk, `,snapshot=${keep ? 'off' : 'on'}`),
    ...drive('input', input),
    ...['-chardev', `socket,id=lab,${socket('lab.sock')}`, '-qmp', `unix:${join(folder, 'qmp.sock')},server=on,wait=off`],
    ...['-kernel', join(image, 'vmlinux'), '-initrd', join(image, 'initrd.gz'), '-serial', `file:${join(folder, 'console.log')}`],
    ...machineFlags({ apparmor }),
    ...(state === undefined ? [] : ['-incoming', `exec:cat ${state}`]),
  ];
  const env = { ...process.env, TMPDIR: folder };
  // However this process ends, the emulator does too (prctl(2), PR_SET_PDEATHSIG).
  const command = ['--pdeathsig', 'KILL', join(image, 'emulator/qemu'), ...args];
  const child = spawn('setpriv', command, { env, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(`QEMU ended (${signal ?? `exit ${code}`})`));
  });
  return { folder, child, ended };
}

/** What the emulator and the guest's console said last, for a failure's report. */
export function lastWords({ folder }) {
  const tail = (name) => {
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').slice(-15).join('\n') : '';
  };
  return [tail('qemu.log'), tail('console.log')].filter((text) => text !== '').join('\n');
}
