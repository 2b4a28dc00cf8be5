/** The user's session: what ends with it, and what stays. */

import { join } from 'node:path';
import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';

export const sessionChecks: readonly Check[] = [
  { id: 'runtime-dir', section: 'session', title: 'runtime folder', look: runtimeDir },
  { id: 'bus', section: 'session', title: 'D-Bus of the user', look: bus },
  { id: 'linger', section: 'session', title: 'linger', look: linger },
];

const hasSystemd = ({ exists }: Machine): boolean => exists('/run/systemd/system');

function runtimeDir({ env, exists, host, paths }: Machine): Finding {
  const named = env['XDG_RUNTIME_DIR'];
  if (named && paths.runtime !== join(named, 'rootless')) {
    return {
      status: 'warn',
      message: `XDG_RUNTIME_DIR is "${named}", which ${exists(named) ? 'is not a folder of yours' : 'does not exist'}; ${paths.runtime} is used`,
      why: env['SUDO_USER']
        ? 'sudo and su change the user, and keep the variable'
        : 'it is what the session of another user, or one that is over, has left',
      advice: 'unset XDG_RUNTIME_DIR, or log in anew',
    };
  }
  if (named || exists(`/run/user/${host.uid}`)) return ok(paths.runtime);
  return {
    status: 'ok',
    message: `${paths.runtime}, since there is no /run/user/${host.uid}`,
  };
}

/** Where limits and `-d` past a logout come from. `su` and cron lose the variable; the socket's place is fixed. */
async function bus(machine: Machine): Promise<Finding> {
  const { host, connect, env } = machine;
  if (!hasSystemd(machine)) return off('systemd does not run here');
  const code = await connect(`/run/user/${host.uid}/bus`);
  if (code !== undefined) {
    return {
      status: 'warn',
      message: `no user session: /run/user/${host.uid}/bus ${code === 'ENOENT' ? 'is missing' : `does not answer (${code})`}`,
      why: env['SUDO_USER']
        ? 'sudo and su change the user, and make no session'
        : 'limits and containers that outlive a logout need the user manager of systemd',
      fix: [`loginctl enable-linger ${host.name}`, `systemctl start user@${host.uid}.service`],
    };
  }
  return ok(`/run/user/${host.uid}/bus answers`);
}

function linger(machine: Machine): Finding {
  const { host, exists } = machine;
  if (!hasSystemd(machine)) return off('systemd does not run here: nothing ends at logout');
  if (host.uid === 0) return ok('not needed for root');
  if (exists(`/var/lib/systemd/linger/${host.name}`)) return ok('on: containers outlive a logout');
  return { status: 'warn', message: 'off: containers end when you log out', fix: [`loginctl enable-linger ${host.name}`] };
}
