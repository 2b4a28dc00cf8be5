/** Asks the user's systemd to put this process into a delegated scope of its own (org.freedesktop.systemd1, StartTransientUnit). */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** How long the manager may take to move us: it answers before it has done so. Milliseconds. */
const patience = 5000;

/** @returns why there is no scope, or undefined once this process is in it. */
export async function requestScope(uid: number): Promise<string | undefined> {
  const bus = `/run/user/${uid}/bus`;
  if (!existsSync(bus)) return `there is no user session ("${bus}" is missing)`;
  const unit = `rootless-${process.pid}.scope`;
  // The session's variables are often lost (su, cron, CI); the socket's place is fixed.
  const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: `unix:path=${bus}`, XDG_RUNTIME_DIR: `/run/user/${uid}` };
  const call = spawnSync('busctl', scopeCall(unit, process.pid), { env, encoding: 'utf8', timeout: patience });
  if (call.error) return 'busctl cannot be started';
  if (call.status !== 0) return call.stderr.trim().split('\n').at(-1) || 'it refused';
  return (await isMoved(unit)) ? undefined : 'it did not move this process in time';
}

/** busctl's signature notation: name, mode, properties a(sv), auxiliary units a(sa(sv)). */
export function scopeCall(unit: string, pid: number): string[] {
  const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];
  const properties = [
    ['Description', 's', 'containers run by rootless'],
    ['Slice', 's', 'user.slice'],
    ['Delegate', 'b', 'true'],
    ['CollectMode', 's', 'inactive-or-failed'],
    ['PIDs', 'au', '1', String(pid)],
  ];
  const call = ['--user', '--quiet', 'call', ...manager, 'StartTransientUnit', 'ssa(sv)a(sa(sv))', unit, 'fail'];
  return [...call, String(properties.length), ...properties.flat(), '0'];
}

async function isMoved(unit: string): Promise<boolean> {
  for (const end = Date.now() + patience; Date.now() < end; ) {
    if (readFileSync('/proc/self/cgroup', 'utf8').includes(`/${unit}`)) return true;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return false;
}
