/** slirp4netns, tried: it has to set up an interface in a network namespace that was made for it. */

import { type ChildProcess, spawn } from 'node:child_process';

/** Milliseconds for all of it. */
const patience = 10_000;

/** @returns undefined when it serves, else what it said */
export async function trySlirp(unshare: string, program: string, asRoot: boolean): Promise<string | undefined> {
  // It lives until its input ends.
  const room = spawn(unshare, [asRoot ? '-n' : '-rn', 'sh', '-c', 'echo made; read -r line'], { stdio: ['pipe', 'pipe', 'ignore'] });
  let slirp: ChildProcess | undefined;
  const timer = setTimeout(() => [room, slirp].forEach((child) => void child?.kill('SIGKILL')), patience);
  try {
    const made = await first(room, room.stdout);
    if (made === undefined || room.pid === undefined) return 'no network namespace could be made for it';
    slirp = spawn(program, ['--configure', '--ready-fd=3', String(room.pid), 'tap0'], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
    let said = '';
    slirp.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4096);
    });
    const ready = await first(slirp, slirp.stdio[3] as NodeJS.ReadableStream);
    return ready === undefined ? said.trim().split('\n').at(-1) || 'it ended without a word' : undefined;
  } finally {
    clearTimeout(timer);
    room.stdin?.end();
    slirp?.kill('SIGTERM');
  }
}

/** The first that comes on the stream; undefined when the process ends before. */
function first(child: ChildProcess, stream: NodeJS.ReadableStream | null): Promise<string | undefined> {
  return new Promise((resolve) => {
    stream?.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    child.once('error', () => resolve(undefined));
    child.once('close', () => resolve(undefined));
  });
}
