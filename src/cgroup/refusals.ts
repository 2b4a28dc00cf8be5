/** Why limits cannot be had here, and the exact commands that change that. */

import { RootlessError } from '../errors.ts';

/** What docker's flags need. */
const everything = 'cpu cpuset io memory pids';

export function notUnified(what = 'limit memory, cpus or pids'): RootlessError {
  return new RootlessError({
    code: 'CGROUP_V2_MISSING',
    message: `cannot ${what}: this machine does not use cgroup v2 alone`,
    why: 'only cgroup v2 can be handed to users; /sys/fs/cgroup is not a cgroup2 filesystem',
    fix: 'boot with systemd.unified_cgroup_hierarchy=1, or run without limits',
  });
}

export function noManager(reason: string, cause?: unknown): RootlessError {
  return new RootlessError({
    code: 'CGROUP_NOT_DELEGATED',
    message: 'cannot limit memory, cpus or pids: no cgroup is delegated to you',
    why: `your own cgroup cannot be divided, and systemd gave none: ${reason}`,
    fix: 'log in through ssh or a console, or: sudo loginctl enable-linger $USER',
    cause,
  });
}

export function notDelegated(missing: readonly string[], cause?: unknown): RootlessError {
  return new RootlessError({
    code: 'CGROUP_NOT_DELEGATED',
    message: `cannot limit ${missing.join(', ') || 'resources'}: not delegated to you`,
    why: 'systemd hands only some controllers to users unless it is told otherwise',
    fix:
      `sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=${everything}\\n' | ` +
      'sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload, then log in again',
    cause,
  });
}

/** `--cgroups=split` outside of a unit that was delegated. */
export function notSplit(path: string): RootlessError {
  return new RootlessError({
    code: 'CGROUP_NOT_DELEGATED',
    message: 'cannot split the cgroup of the caller',
    why: `${path} is not the caller's to divide, or others are in it`,
    fix: 'run it in a unit with Delegate=yes, or without --cgroups=split',
  });
}
