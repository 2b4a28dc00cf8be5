// What stays in memory beside a running container's own program: proportional set size of the helper's processes, and of conmon.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBundle } from './bundle.mjs';
import { podman, podmanImage } from './podman.mjs';
import { rootless } from './time.mjs';

export async function measure() {
  const ours = await resident(
    [...rootless, 'run', '--rm', '--network', 'none', 'host:', 'sh', '-c', 'echo ready; exec sleep 60'],
    /^(memfd:)?rootless/,
  );
  const argv = [...podman, 'run', '--rm', '--network', 'none', 'localhost/bench', 'sh', '-c', 'echo ready; exec sleep 60'];
  const theirs = podmanImage('bench', makeBundle(join(tmpdir(), 'memory'))) ? await resident(argv, /^conmon/) : undefined;
  return [
    {
      section: 'memory',
      name: 'helper of a running container',
      value: ours,
      unit: 'bytes',
      limit: 1.5 * 1024 * 1024,
      peer: 'conmon',
      other: theirs,
    },
  ];
}

/** Bytes of the processes with such a name that exist while the command says `ready`. */
async function resident([program, ...args], pattern) {
  const before = new Set(processes(pattern));
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('close', (code) => reject(new Error(`${program} ended with ${code}`)));
  });
  // What stays, not what a start needs for its first moments.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const bytes = processes(pattern)
    .filter((pid) => !before.has(pid))
    .reduce((sum, pid) => sum + proportional(pid), 0);
  child.kill('SIGTERM');
  child.kill('SIGKILL');
  await ended;
  return bytes;
}

export function processes(pattern) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && pattern.test(read(`/proc/${name}/comm`)));
}

/** proc(5), smaps_rollup: pages shared with others count by their share. */
export function proportional(pid) {
  return Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
