/** The umask: what containers have is for all of their users, whatever the caller keeps from others; what is written for the caller has the caller's. */

const usual = 0o022;
/** As long as the usual one was not taken, the kernel knows the caller's. */
let callers: number | undefined;

/** As podman does: with a mask like 077 only its root could enter a container's root folder. The store is closed above that. */
export function takeUsualUmask(): void {
  callers = process.umask(usual);
}

/** Mode of a file or folder that the caller asked for. */
export function callersMode(mode: number): number {
  return mode & ~(callers ?? 0);
}

/** Starts something of the caller's, which has the caller's umask. */
export function asCaller<T>(start: () => T): T {
  if (callers === undefined) return start();
  process.umask(callers);
  try {
    return start();
  } finally {
    process.umask(usual);
  }
}
