/** Turns a failed step of the helper into words: what happened, why, what to do. Pure; a fix is given only if its cause is among the facts. */

import { errnoWords } from '../errno.ts';
import { type ErrorFacts, RootlessError } from '../errors.ts';
import type { HelperFailure } from '../helper.ts';
import type { UsernsSwitches } from '../userns/host.ts';
import { powerlessMapper } from '../userns/obstacles.ts';
import { explainCgroup } from './explain-cgroup.ts';
import { explainClosed, explainMount } from './explain-mount.ts';
import { explainNetwork } from './explain-network.ts';
import { explainUserns } from './explain-userns.ts';
import type { OciMount } from './oci.ts';

export type ExplainFacts = {
  readonly image: string;
  /** First word of the container's command. */
  readonly command: string;
  readonly user: string;
  /** Path of rootless-helper. */
  readonly helper: string;
  readonly data: string;
  readonly freeBytes: number | undefined;
  readonly mounts: readonly OciMount[];
  /** By source of a bind mount, and by the folder of `rootfs:`: a folder on the way to it that the container's root may not enter. */
  readonly closed?: Readonly<Record<string, string>>;
  /** The same for the folder of the store. */
  readonly closedStore?: string | undefined;
  readonly switches: UsernsSwitches;
  /** This process already runs under a seccomp filter, as in most containers. */
  readonly underSeccomp: boolean;
  readonly mapperFaults: readonly { readonly path: string; readonly fault: 'nosuid' | 'no-privilege' }[];
};

export function explain(failure: HelperFailure, facts: ExplainFacts): RootlessError {
  return new RootlessError({ ...explainFull(failure, facts), cause: failure });
}

function explainFull(failure: HelperFailure, facts: ExplainFacts): ErrorFacts {
  if (failure.errno === 'ENOSPC' && failure.step !== 'clone') return diskFull(facts);
  if (failure.errno === 'EACCES' && facts.closedStore !== undefined && ['overlay', 'rootfs', 'copy', 'remove'].includes(failure.step)) {
    const message = `cannot start the container: its root may not enter the store in "${facts.data}"`;
    return { code: 'START_FAILED', message, ...explainClosed(facts.closedStore) };
  }
  if (failure.errno === 'EMFILE' || failure.message?.includes('Too many open files')) return tooManyFiles(failure);
  switch (failure.step) {
    case 'clone':
      return explainUserns(failure, facts);
    case 'map-ids':
      return explainMaps(failure, facts);
    // Ctrl-C ends the one who asked first.
    case 'parent':
      return { code: 'INTERRUPTED', message: 'interrupted while the container was starting', exit: 130 };
    case 'exec':
      return explainExec(failure, facts);
    case 'cwd':
      return {
        code: 'WORKDIR_UNUSABLE',
        message: `cannot enter the working folder "${failure.target}": ${reason(failure)}`,
        exit: failure.errno === 'ENOENT' ? 127 : 126,
      };
    case 'user':
      return explainUser(failure, facts);
    case 'mount':
    case 'mount-source':
    case 'chown':
      return explainMount(failure, facts);
    case 'overlay':
      return explainOverlay(failure, facts);
    case 'companion':
    case 'network':
      return explainNetwork(failure);
    case 'cgroup':
      return explainCgroup(failure);
    case 'sysctl':
      return { code: 'SYSCTL_REFUSED', message: `cannot set sysctl "${failure.target}": ${reason(failure)}` };
    case 'seccomp':
      return { code: 'SECCOMP_REFUSED', message: `cannot load the seccomp filter: ${describe(failure)}` };
    case 'log':
      return explainLog(failure);
    case 'config':
    case 'validate':
      return { code: 'SPEC_INVALID', message: `cannot run this container: ${describe(failure)}` };
    default:
      return { code: 'START_FAILED', message: `cannot start the container: ${failure.step} ${describe(failure)}` };
  }
}

/** A folder of the user's own (`rootfs:`) may be one that the container's root cannot get to. */
function explainOverlay(failure: HelperFailure, { image, data, closed }: ExplainFacts): ErrorFacts {
  const message = `cannot stack the layers of "${image}": ${reason(failure)}`;
  const folder = failure.errno === 'EACCES' && image.startsWith('rootfs:') ? closed?.[image.slice('rootfs:'.length)] : undefined;
  if (folder !== undefined) return { code: 'MOUNT_FAILED', message, ...explainClosed(folder) };
  return {
    code: 'OVERLAY_REFUSED',
    message,
    why: `the overlay filesystem was refused for folders in "${data}"`,
    fix: `rm ${data}/storage.json makes rootless try again what works here`,
  };
}

function explainMaps(failure: HelperFailure, facts: ExplainFacts): ErrorFacts {
  // A map that was written without them says nothing of them.
  const faulty = failure.target?.startsWith('/proc/') ? undefined : facts.mapperFaults[0];
  if (faulty) return { ...powerlessMapper(faulty.path, faulty.fault), code: 'NEWUIDMAP_NOT_SETUID' };
  if (failure.message?.includes('not allowed')) {
    return {
      code: 'SUBID_MISSING',
      message: `cannot map user ids: ${failure.message}`,
      why: `the ranges of "${facts.user}" in /etc/subuid and /etc/subgid are not what newuidmap allows`,
      fix: 'if they have changed: rootless system migrate says what still has the old ids',
    };
  }
  return explainUserns(failure, facts);
}

function explainExec(failure: HelperFailure, { image, command }: ExplainFacts): ErrorFacts {
  const target = failure.target ?? command;
  if (failure.errno === 'ENOENT' && failure.message) {
    return {
      code: 'INTERPRETER_MISSING',
      message: `cannot run "${target}": its interpreter is missing in "${image}"`,
      why: 'the file is there, but the program named after its #!, or the dynamic loader that it was linked for, is not',
      exit: 127,
    };
  }
  if (failure.errno === 'ENOENT' || failure.errno === 'ENOTDIR') {
    const where = target.includes('/') ? `there is no such file in "${image}"` : `it is in no folder of PATH in "${image}"`;
    const misplaced = target.startsWith('-') ? 'flags of rootless go before the image or container' : undefined;
    return { code: 'COMMAND_NOT_FOUND', message: `command not found: "${target}"`, why: where, fix: misplaced, exit: 127 };
  }
  if (failure.errno === 'ENOEXEC') {
    return {
      code: 'EXEC_FORMAT',
      message: `cannot run "${target}": not a program for this machine`,
      why: `it is made for another architecture than ${process.arch}, or is a script without a #! line`,
      exit: 126,
    };
  }
  if (failure.errno === 'EACCES') {
    return {
      code: 'NOT_EXECUTABLE',
      message: `cannot run "${target}": permission denied`,
      why: 'it is a folder, is not marked as executable, or is on a noexec mount',
      exit: 126,
    };
  }
  return { code: 'EXEC_FAILED', message: `cannot run "${target}": ${reason(failure)}`, exit: 126 };
}

function explainUser(failure: HelperFailure, { image }: ExplainFacts): ErrorFacts {
  if (failure.errno === 'EINVAL') {
    return {
      code: 'USER_NOT_MAPPED',
      message: `cannot become user or group ${failure.target}: ${failure.target ? 'it' : 'the id'} is not mapped`,
      why: 'it lies beyond the subordinate ids of this user',
      fix: 'rootless unshare cat /proc/self/uid_map shows what is mapped',
    };
  }
  return {
    code: 'USER_NOT_FOUND',
    message: `no user or group "${failure.target}" in "${image}"${failure.message ? `: ${failure.message}` : ''}`,
  };
}

function explainLog(failure: HelperFailure): ErrorFacts {
  const journal = failure.message?.includes('journal') === true;
  return {
    code: 'LOG_UNUSABLE',
    message: journal
      ? 'cannot write the log to the journal: none runs here'
      : `cannot write the log to "${failure.target}": ${reason(failure)}`,
    why: journal ? `nobody listens on ${failure.target}` : undefined,
    fix: journal ? '--log-driver json-file, or k8s-file' : undefined,
  };
}

function diskFull({ data, freeBytes }: ExplainFacts): ErrorFacts {
  const space = freeBytes === undefined ? '' : `, ${Math.floor(freeBytes / 2 ** 20)} MiB are free`;
  return { code: 'DISK_FULL', message: 'cannot start the container: no space left', why: `it needs room in "${data}"${space}` };
}

/** Of this shell, not of the machine; pasta says it in words. */
function tooManyFiles(failure: HelperFailure): ErrorFacts {
  return {
    code: 'FILES_LIMITED',
    message: `cannot start the container: too many open files at ${failure.step} ${failure.target ?? ''}`.trimEnd(),
    why: 'a program of this shell may have only that many open at once (ulimit -n)',
    fix: 'ulimit -n 1024',
  };
}

/** Errno as people say it, and what the helper adds. */
export function reason({ errno, message }: HelperFailure): string {
  return [errno && errnoWords(errno), message].filter(Boolean).join(': ') || 'unknown reason';
}

export function describe(failure: HelperFailure): string {
  return failure.target ? `"${failure.target}": ${reason(failure)}` : reason(failure);
}
