/** Containers that go on in the background, for as long as a test needs them. */

import * as assert from 'uvu/assert';
import { bin } from './checkout.ts';
import { environment, rootless } from './cli.ts';
import { eventually } from './eventually.ts';
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

/** Resolves once the container's log has the text: what a script says after a `trap` tells that the trap is set. */
export function said(name: string, text = 'ready'): Promise<void> {
  return eventually(async () => assert.ok((await ok(['logs', name])).includes(text)));
}

/** Shell words that wait until the test calls `open` for this container. */
export const gate = 'while ! test -e /tmp/open; do sleep 0.05; done';

/** The script may see the file and end before `touch` has ended, which is then killed with its container. */
export async function open(name: string): Promise<void> {
  const { code, stderr } = await rootless(['exec', name, 'touch', '/tmp/open']);
  assert.ok(code === 0 || code === 137, `exec touch: exit ${code}: ${stderr}`);
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
