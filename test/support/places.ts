/** Places of the lab's guest from which a user starts containers (docs/lab.md), and the helper as any engine calls it. */

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bin, gid, helper, uid } from './checkout.ts';
import { environment, finished, type Output } from './cli.ts';
import { busyboxRootfs } from './images.ts';
import { slowness } from './slow.ts';
import { withTmp } from './tmp.ts';

/** `rootless ARGS` from a login's scope, or from a process that has neither a session nor its variables. */
export function from(place: 'session' | 'bare', args: readonly string[]): Promise<Output> {
  const kept = ['PATH', 'ROOTLESS_DATA', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME'];
  const variables = kept.map((name) => `${name}=${environment[name] ?? ''}`);
  const child = spawn('sudo', ['-n', 'lab-as', place, 'env', ...variables, bin, ...args], { timeout: 45_000 * slowness });
  child.stdin.end();
  return finished(child);
}

/** The folder in which the cgroup of a process is. */
export function cgroupOf(pid: number | string): string {
  const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'latin1'))?.[1];
  return join('/sys/fs/cgroup', path ?? '');
}

export type Engine = {
  readonly folder: string;
  /** One verb of the helper. */
  readonly helper: (
    args: readonly string[],
    input?: string,
  ) => { readonly status: number | null; readonly stdout: string; readonly stderr: string };
  readonly saved: () => { readonly cgroup: string; readonly scope?: string | null; readonly pid: number };
};

/** A bundle of busybox with these limits, and the helper for it: `--systemd-cgroup` where `cgroupsPath` is for that. */
export function asEngine(linux: Readonly<Record<string, unknown>>, argv: readonly string[], work: (engine: Engine) => void): Promise<void> {
  return withTmp((folder) => {
    mkdirSync(join(folder, 'rootfs'));
    busyboxRootfs(join(folder, 'rootfs'));
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config(linux, argv)));
    const global = ['--root', join(folder, 'state'), ...(String(linux['cgroupsPath']).includes(':') ? ['--systemd-cgroup'] : [])];
    const call = (args: readonly string[], input = '') => spoken(folder, [...global, ...args], input);
    try {
      work({ folder, helper: call, saved: () => JSON.parse(readFileSync(join(folder, 'state/c/state.json'), 'utf8')) });
    } finally {
      call(['delete', '--force', 'c']);
    }
  });
}

/** Into files: a container that was only created keeps the streams, and a pipe would end with it alone. */
function spoken(folder: string, args: readonly string[], input: string): ReturnType<Engine['helper']> {
  const paths = ['stdout', 'stderr'].map((name) => join(folder, name));
  const [out = 1, err = 2] = paths.map((path) => openSync(path, 'w'));
  const { status } = spawnSync(helper, args, {
    cwd: folder,
    input,
    stdio: ['pipe', out, err],
    timeout: 60_000 * slowness,
    env: environment,
  });
  for (const fd of [out, err]) closeSync(fd);
  const [stdout = '', stderr = ''] = paths.map((path) => readFileSync(path, 'utf8'));
  return { status, stdout, stderr };
}

function config(linux: Readonly<Record<string, unknown>>, args: readonly string[]) {
  const mount = (destination: string, type: string, options: readonly string[] = []) => ({ destination, type, source: type, options });
  return {
    ociVersion: '1.2.0',
    process: { args, cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 }, noNewPrivileges: true },
    root: { path: 'rootfs' },
    mounts: [mount('/proc', 'proc'), mount('/sys/fs/cgroup', 'cgroup', ['ro'])],
    linux: {
      namespaces: ['user', 'mount', 'pid', 'ipc', 'uts', 'cgroup'].map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
      ...linux,
    },
  };
}
