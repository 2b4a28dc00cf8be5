/** The shortest way to a container in a test: busybox, no network, removed at its end. */

import type { ChildProcess } from 'node:child_process';
import * as assert from 'uvu/assert';
import { environment, type Options, type Output, rootless, start } from './cli.ts';
import { bin } from './checkout.ts';
import { busyboxImage } from './images.ts';
import { Terminal } from './pty.ts';

/** `run --rm --network none FLAGS IMAGE ARGV` as an argument list. */
export function runArgs(flags: readonly string[], argv: readonly string[], image = busyboxImage()): string[] {
  return ['run', '--rm', '--network', 'none', ...flags, image, ...argv];
}

/** Runs a container to its end. */
export function run(flags: readonly string[], argv: readonly string[], options?: Options): Promise<Output> {
  return rootless(runArgs(flags, argv), options);
}

/** Runs a shell line and returns its output; anything but exit 0 fails the test with what was said. */
export async function shell(flags: readonly string[], script: string, options?: Options): Promise<string> {
  const output = await run(flags, ['sh', '-c', script], options);
  assert.is(output.code, 0, `exit ${output.code ?? output.signal}: ${output.stderr}${output.stdout}`);
  return output.stdout.trimEnd();
}

/** Starts a container with pipes. */
export function startRun(flags: readonly string[], argv: readonly string[], options?: Options): ChildProcess {
  return start(runArgs(flags, argv), options);
}

/** `rootless run -it …` on a terminal. */
export function onTerminal(flags: readonly string[], argv: readonly string[]): Terminal {
  return new Terminal([bin, ...runArgs(['-it', ...flags], argv)], { ...environment, TERM: 'xterm' });
}

/** A shell script on a terminal, with `rootless run -it …` as its "$@". */
export function inShell(script: string, flags: readonly string[], argv: readonly string[]): Terminal {
  const command = [bin, ...runArgs(['-it', ...flags], argv)];
  return new Terminal(['sh', '-c', script, 'sh', ...command], { ...environment, TERM: 'xterm' });
}
