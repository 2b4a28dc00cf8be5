/** Containers that go on in the background, for as long as a test needs them. */

import * as assert from 'uvu/assert';
import { bin } from './checkout.ts';
import { environment, rootless } from './cli.ts';
import { busyboxImage } from './images.ts';
import { Terminal } from './pty.ts';

/** `run -d FLAGS busybox ARGV`; gone when `work` is done, whatever became of it. */
export async function detached(flags: readonly string[], argv: readonly string[], work: (id: string) => Promise<void>): Promise<void> {
  const id = (await ok(['run', '-d', '--network', 'none', ...flags, busyboxImage(), ...argv])).trim();
  try {
    await work(id);
  } finally {
    await rootless(['rm', '-f', '-t', '0', id]);
  }
}

/** Standard output; anything but exit 0 fails the test with what was said. */
export async function ok(args: readonly string[], input?: string | Buffer): Promise<string> {
  const output = await rootless(args, input === undefined ? {} : { input });
  assert.is(output.code, 0, `rootless ${args.join(' ')}: exit ${output.code ?? output.signal}: ${output.stderr}${output.stdout}`);
  return output.stdout;
}

/** `rootless ARGS` on a terminal, started as a shell starts it: not by Node. */
export function terminal(args: readonly string[]): Terminal {
  return new Terminal([bin, ...args], { ...environment, TERM: 'xterm' });
}

/** The same as "$@" of a shell script, which outlives it. */
export function terminalShell(script: string, args: readonly string[]): Terminal {
  return new Terminal(['sh', '-c', script, 'sh', bin, ...args], { ...environment, TERM: 'xterm' });
}
