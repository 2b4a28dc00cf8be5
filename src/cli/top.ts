/** `rootless top`: the processes of a container, by the host's ps as with docker, or by podman's descriptors. */

import { spawnSync } from 'node:child_process';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { findProgram, searchPath } from '../programs.ts';
import { processesOf } from '../runtime/processes.ts';
import { notRunning } from '../runtime/refusals.ts';
import { findContainer, isRunning, latestContainer } from '../runtime/state.ts';
import { codes, descriptors, inspectProcess, namesOf, usualDescriptors } from '../runtime/top.ts';
import { command } from './command.ts';
import { table } from './format.ts';
import { print } from './output.ts';

export default command({
  name: 'top',
  flags: { latest: { type: 'boolean', alias: 'l', description: 'of the container that was created last' } },
  words: { usage: 'CONTAINER [PS OPTIONS | DESCRIPTOR...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  stop: true,
  examples: ['rootless top web', 'rootless top web aux', 'rootless top web -o pid,rss,args', 'rootless top web pid,hpid,user,huser,args'],
  run: ({ flags, args, env }) => {
    const paths = findPaths(env);
    const [name, ...words] = flags.latest ? ['', ...args] : args;
    if (name === undefined) {
      throw new RootlessError({
        code: 'ARGUMENTS_WRONG',
        message: '"rootless top" requires at least 1 argument',
        fix: 'rootless top CONTAINER [PS OPTIONS | DESCRIPTOR...]',
      });
    }
    const container = flags.latest ? latestContainer(paths) : findContainer(paths, name);
    const { life } = container;
    if (!isRunning(container) || life === undefined) {
      throw notRunning(container.name, 'list processes of');
    }
    const asked = words.flatMap((word) => word.split(',')).map((word) => codes[word] ?? word);
    const ps = findProgram('ps', searchPath(env));
    const byDescriptor = asked.length > 0 && asked.every((word) => descriptors[word] !== undefined);
    if (byDescriptor) print(described(life.pid, asked));
    else if (ps === undefined && words.length === 0) print(described(life.pid, usualDescriptors));
    else print(byPs(ps, words, life.pid));
    return 0;
  },
});

function described(init: number, asked: readonly string[]): string {
  const names = namesOf(init);
  const columns = asked.flatMap((name) => descriptors[name] ?? []);
  const rows = processesOf(init).map((stat) => {
    const process = inspectProcess(stat, names);
    return columns.map(({ value }) => value(process));
  });
  return table([columns.map(({ heading }) => heading), ...rows]);
}

function byPs(ps: string | undefined, words: readonly string[], init: number): string {
  const options = words.length > 0 ? words : ['-ef'];
  if (ps === undefined) {
    throw new RootlessError({
      code: 'PS_MISSING',
      message: `cannot run "ps ${options.join(' ')}": ps is not installed`,
      fix: `sudo apt-get install procps, or columns of our own: rootless top CONTAINER ${usualDescriptors.join(',')}`,
    });
  }
  const pids = processesOf(init).map(({ pid }) => String(pid));
  const run = (args: readonly string[]) => spawnSync(ps, args, { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 });
  // As docker does: these processes only, which also finds those of other sessions; options that do not go with -q choose by themselves.
  const exact = run([...options, `-q${pids.join(',')}`]);
  const answer = exact.status === 0 ? exact : run(options);
  if (answer.status === 0) return filtered(answer.stdout, new Set(pids));
  throw new RootlessError({
    code: 'PS_FAILED',
    exit: 1,
    message: `"ps ${options.join(' ')}" failed`,
    why: answer.stderr.trim().split('\n')[0],
    fix: `options of ps(1), or: ${Object.keys(descriptors).join(', ')}`,
  });
}

/** docker's way: ps says it of all processes, and those with a PID of the container are kept. */
export function filtered(text: string, pids: ReadonlySet<string>): string {
  const [head = '', ...lines] = text.trimEnd().split('\n');
  const headings = head.trim().split(/\s+/);
  const at = headings.indexOf('PID');
  if (at === -1) {
    throw new RootlessError({
      code: 'PS_WITHOUT_PID',
      exit: 1,
      message: 'the output of ps has no column PID',
      why: 'it says which processes are of the container',
      fix: 'add pid: rootless top CONTAINER -o pid,args',
    });
  }
  const rows = lines.map((line) => cells(line, headings.length)).filter((row) => pids.has(row[at] ?? ''));
  return table([headings, ...rows]);
}

/** The last column may have spaces. */
function cells(line: string, count: number): string[] {
  const words = line.trim().split(/\s+/);
  const kept = words.slice(0, count - 1);
  const rest = new RegExp(`^\\s*(?:\\S+\\s+){${kept.length}}(.*)$`).exec(line)?.[1] ?? '';
  return [...kept, rest.trimEnd()];
}
