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

/** `around`: the engine of the container that this is in. */
export function noManager(reason: string, around?: string, cause?: unknown): RootlessError {
  return new RootlessError({
    code: 'CGROUP_NOT_DELEGATED',
    message: 'cannot limit memory, cpus or pids: no cgroup is delegated to you',
    why: `your own cgroup cannot be divided, and systemd gave none: ${reason}`,
    fix:
      around === undefined
        ? 'log in through ssh or a console, or: sudo loginctl enable-linger $USER'
        : `give the container around it (${around}) a cgroup that can be written: rootless or podman run --security-opt unmask=/sys/fs/cgroup, docker run --privileged --cgroupns private`,
    cause,
  });
}

/** `kernel`: the controllers at the root of the tree, if they could be read. */
export function notDelegated(missing: readonly string[], kernel: readonly string[] = [], cause?: unknown): RootlessError {
  const absent = kernel.length === 0 ? [] : missing.filter((name) => !kernel.includes(name));
  const foreign = missing.filter((name) => !everything.split(' ').includes(name));
  return new RootlessError({
    code: 'CGROUP_NOT_DELEGATED',
    message: `cannot limit ${missing.join(', ') || 'resources'}: ${absent.length > 0 ? 'this kernel has no such controller' : 'not delegated to you'}`,
    ...(absent.length > 0 ? { why: `/sys/fs/cgroup/cgroup.controllers is "${kernel.join(' ')}"` } : fixFor(foreign)),
    cause,
  });
}

/** systemd's Delegate= knows five controllers; others are handed down by hand, and it leaves them alone. */
function fixFor(foreign: readonly string[]): { why: string; fix: string } {
  if (foreign.length > 0) {
    const words = foreign.map((name) => `+${name}`).join(' ');
    return {
      why: `systemd hands ${foreign.join(', ')} to nobody, and has no setting for it`,
      fix: `for d in . user.slice user.slice/user-$(id -u).slice; do echo ${words} | sudo tee /sys/fs/cgroup/$d/cgroup.subtree_control; done (until the next boot)`,
    };
  }
  return {
    why: 'systemd hands only some controllers to users unless it is told otherwise',
    fix:
      `sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=${everything}\\n' | ` +
      'sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload, then log in again',
  };
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
