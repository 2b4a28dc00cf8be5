/** The helper as a client of a container's monitor: it relays this process's streams until the end (docs/contract.md, `session`). */

import type { Socket } from 'node:net';
import { type Front, handOver } from '../front.ts';
import { type HelperFailure, startHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import type { OciCapabilities } from './oci.ts';

/** docs/contract.md, "Monitor". */
export type SessionRequest =
  | { readonly op: 'attach'; readonly stdin: boolean }
  | {
      readonly op: 'exec';
      /** Parts of the OCI process; what is left out is the container's. */
      readonly process: {
        readonly terminal: boolean;
        readonly args: readonly string[];
        readonly env?: readonly string[];
        readonly cwd?: string;
        readonly capabilities?: OciCapabilities;
        readonly noNewPrivileges?: boolean;
      };
      readonly user?: string;
      readonly privileged?: true;
      readonly detach?: true;
    };

export type Manner = {
  /** This process's input is read. */
  readonly input: boolean;
  /** Signals go to the container's program. */
  readonly sigProxy: boolean;
  /** `ctrl-p,ctrl-q`; empty = none. */
  readonly detachKeys?: string | undefined;
  /** Becomes the client in place of a helper of ours. */
  readonly front?: Front | undefined;
};

export type SessionEnd = { readonly code: number; readonly failure: HelperFailure | undefined };

const passed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

/** @returns the program's exit code; 0 when the detach keys left it; 128 + a signal that ended the session */
export async function openSession(paths: Paths, id: string, request: SessionRequest, manner: Manner): Promise<SessionEnd> {
  const flags = [
    ...(manner.input ? [] : ['--no-stdin']),
    ...(manner.sigProxy ? ['--sig-proxy'] : []),
    ...(manner.detachKeys === undefined ? [] : ['--detach-keys', manner.detachKeys]),
  ];
  const args = (...more: string[]) => ['--root', paths.runtime, 'session', ...more, ...flags, id];
  if (manner.front) return openInFront(manner.front, args(), request, manner);
  const helper = startHelper(paths, args('--request-fd', '4'), [manner.input ? 'inherit' : 'ignore', 'inherit', 'inherit', 'parent']);
  const line = helper.child.stdio[4] as Socket;
  // A helper that failed closes its end; what happened is in its events.
  line.on('error', () => {});
  line.end(JSON.stringify(request));
  // The helper restores the terminal, so it is the one that a signal ends. It drops what a key press sent to both.
  const pass = (name: NodeJS.Signals) => void helper.child.kill(name);
  for (const name of passed) process.on(name, pass);
  try {
    const { code, failure } = await helper.done;
    return { code, failure };
  } finally {
    for (const name of passed) process.removeListener(name, pass);
  }
}

/** This process is not needed any more once the monitor has done what was asked; the code is the front's to know. */
async function openInFront(front: Front, args: readonly string[], request: SessionRequest, { input }: Manner): Promise<SessionEnd> {
  const { hearNow } = await import('./front-launch.ts');
  handOver(front, { args, input, request });
  // What is sent to the front is for the program; a key press reaches this process too.
  for (const name of passed) process.on(name, () => {});
  const events = hearNow(front);
  return { code: 0, failure: events.find((event) => event.event === 'error') };
}
