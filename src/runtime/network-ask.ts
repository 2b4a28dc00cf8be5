/** Has the monitor of a running container change its network, through the helper's verb `network`. */

import { spawn } from 'node:child_process';
import { RootlessError } from '../errors.ts';
import { parseEvents } from '../helper.ts';
import type { Paths } from '../paths.ts';

/** What to do is read on its input; `name` is the network's, for the message. @throws RootlessError NETWORK_FAILED */
export async function askHelper(paths: Paths, args: readonly string[], name: string, input: string): Promise<void> {
  const child = spawn(paths.helper, ['--root', paths.runtime, '--events-fd', '3', 'network', ...args], {
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdio[3]?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const code = await new Promise<number>((resolve) => {
    child.once('error', () => resolve(125));
    child.once('close', (status) => resolve(status ?? 125));
  });
  if (code === 0) return;
  const failure = parseEvents(Buffer.concat(chunks).toString()).find((event) => event.event === 'error');
  throw new RootlessError({
    code: 'NETWORK_FAILED',
    message: `cannot change network "${name}" of a running container: ${[failure?.errno, failure?.message].filter(Boolean).join(': ') || `the helper ended with ${code}`}`,
    why: failure?.target,
    exit: 1,
  });
}
