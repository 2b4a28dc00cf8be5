/** Asks the user's systemd to put processes into a delegated scope of their own (org.freedesktop.systemd1, StartTransientUnit). */

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** How long the manager may take to move us: it answers before it has done so. Milliseconds. */
const patience = 5000;

/** The user's manager listens here, also when the session's variables are lost (su, cron, CI). */
export const busOf = (uid: number): string => `/run/user/${uid}/bus`;

/** @returns why there is no scope, or undefined once the processes, the last of them this one, are in it. */
export async function requestScope(uid: number, pids: readonly number[] = [process.pid]): Promise<string | undefined> {
  const bus = busOf(uid);
  if (!existsSync(bus)) return `there is no user session ("${bus}" is missing)`;
  const unit = `rootless-${process.pid}.scope`;
  const env = { ...process.env, DBUS_SESSION_BUS_ADDRESS: `unix:path=${bus}`, XDG_RUNTIME_DIR: `/run/user/${uid}` };
  const failure = await call(scopeCall(unit, pids), env);
  if (failure !== undefined) return failure;
  return (await isMoved(unit)) ? undefined : 'it did not move this process in time';
}

/** @returns what was said, or undefined when it worked */
function call(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string | undefined> {
  return new Promise((resolve) => {
    const busctl = spawn('busctl', args, { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: patience });
    let said = '';
    busctl.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    busctl.once('error', () => resolve('busctl cannot be started'));
    busctl.once('close', (code) => resolve(code === 0 ? undefined : said.trim().split('\n').at(-1) || 'it refused'));
  });
}

/** busctl's signature notation: name, mode, properties a(sv), auxiliary units a(sa(sv)). */
export function scopeCall(unit: string, pids: readonly number[]): string[] {
  const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1', 'org.freedesktop.systemd1.Manager'];
  const properties = [
    ['Description', 's', 'containers run by rootless'],
    ['Slice', 's', 'user.slice'],
    ['Delegate', 'b', 'true'],
    ['CollectMode', 's', 'inactive-or-failed'],
    ['PIDs', 'au', String(pids.length), ...pids.map(String)],
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
