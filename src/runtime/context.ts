/** What surrounds a run and is not part of the container: folders, image policy, where progress and notices go. */

import { RootlessError } from '../errors.ts';
import { type Front, isGone } from '../front.ts';
import type { Platform } from '../image/platform.ts';
import type { Progress } from '../image/progress.ts';
import type { PullPolicy } from '../image/resolve.ts';
import type { Paths } from '../paths.ts';
import type { ContainerOptions } from './options.ts';

export type CommandLine = { readonly words: readonly string[]; readonly folder: string };

export type RunContext = {
  readonly paths: Paths;
  /** What was typed after `run` or `create`, and where: `generate systemd --new` repeats it. */
  readonly line?: CommandLine | undefined;
  /** Folders of PATH: where newuidmap, pasta and fuse-overlayfs are looked for after the usual places. */
  readonly searchPath: readonly string[];
  readonly pull: PullPolicy;
  readonly platform?: Platform | undefined;
  /** undefined: HTTPS, and docker's exception for loopback. */
  readonly tlsVerify?: boolean | undefined;
  readonly progress?: Progress | undefined;
  /** One line that the user should see; isolation or function differs from the full mode. */
  readonly notice?: ((line: string) => void) | undefined;
  /** Called with the id as soon as the container exists, before its program runs. */
  readonly created?: ((id: string) => void) | undefined;
  /** Who started this process, and can become the container's monitor in its place. */
  readonly front?: Front | undefined;
  /** The container goes on without the caller once its program runs. */
  readonly detach?: boolean | undefined;
  /** `ctrl-p,ctrl-q` (the default): leaves a container in the foreground; empty = nothing does. */
  readonly detachKeys?: string | undefined;
  /** false: signals to the caller of a container in the foreground end the caller alone. */
  readonly sigProxy?: boolean | undefined;
  /** Which streams of a container in the foreground are the caller's; undefined = all. */
  readonly attach?: ReadonlySet<'stdin' | 'stdout' | 'stderr'> | undefined;
  /** So many descriptors of the caller, from 3 on, are the program's too, and what it is told about them (`LISTEN_FDS=1`). */
  readonly preserve?: { readonly count: number; readonly sockets: readonly string[] } | undefined;
  /** Where a service manager waits to hear that the container runs (sd_notify(3)). */
  readonly notifySocket?: string | undefined;
  /** Who tells it, instead of whom the container's options name: a unit waits for this one. */
  readonly notifyMode?: ContainerOptions['sdnotify'] | undefined;
  /** With it nothing is started: it gets the config.json that would have been used. */
  readonly dryRun?: ((config: string) => void) | undefined;
  /** Ends preparation. Once the program runs, signals are forwarded to it instead. */
  readonly signal?: AbortSignal | undefined;
};

/** Before a container goes on without its caller. @throws RootlessError INTERRUPTED when the one who asked was killed meanwhile */
export function checkCaller({ front }: RunContext): void {
  if (!isGone(front)) return;
  throw new RootlessError({ code: 'INTERRUPTED', message: 'whoever started this is gone', exit: 137 });
}
