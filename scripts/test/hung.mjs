// Processes of one test file, wherever they went: found by a mark in their environment and by who started whom, described, ended.
import { readdirSync, readFileSync } from 'node:fs';

/** The variable that every process of a test file inherits; containers' programs do not, but their parents do. */
export const markName = 'ROOTLESS_TEST_RUN';

/**
 * All processes with the mark and all below them, oldest first.
 * @returns {{ pid: number, parent: number, state: string, channel: string, command: string }[]}
 */
export function processesOf(mark) {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(processOf);
  const found = new Set(all.filter(({ pid }) => read(`/proc/${pid}/environ`).includes(`${markName}=${mark}\0`)).map(({ pid }) => pid));
  for (let size = -1; size !== found.size; ) {
    size = found.size;
    for (const { pid, parent } of all) if (found.has(parent)) found.add(pid);
  }
  return all.filter(({ pid }) => found.has(pid)).sort((a, b) => a.pid - b.pid);
}

/** One line a process: who it is, its state, and where in the kernel it waits. */
export function describe(processes) {
  return processes.map(({ pid, parent, state, channel, command }) => `  ${pid} of ${parent} ${state} ${channel}: ${command}`).join('\n');
}

export function killAll(processes) {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself, or with the one before it.
    }
  }
}

function processOf(name) {
  const stat = read(`/proc/${name}/stat`);
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (parent === undefined || state === 'Z') return [];
  const channel = read(`/proc/${name}/wchan`) || '?';
  const command =
    read(`/proc/${name}/cmdline`).replaceAll('\0', ' ').slice(0, 200) || stat.slice(stat.indexOf('('), stat.lastIndexOf(')') + 1);
  return [{ pid: Number(name), parent: Number(parent), state, channel, command }];
}

function read(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
