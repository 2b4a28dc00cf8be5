/** Which cgroup a container gets and what it sees of it; and what cgroup v2 does not have. */

import type { ContainerOptions } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { parseWhole } from './numbers.ts';

/** `memory.high=1073741824`: a file of the cgroup, and what is written there. */
export function parseCgroupFile(text: string): readonly [string, string] {
  const [, file, value] = /^([a-z0-9_]+(?:\.[A-Za-z0-9_]+)+)=(.+)$/s.exec(text) ?? [];
  if (file === undefined || value === undefined)
    throw new BadValue(`"${text}" is not FILE=VALUE`, { fix: '--cgroup-conf memory.high=512000000' });
  if (!file.startsWith('cgroup.')) return [file, value];
  throw new BadValue(`"${file}" is no limit`, { why: 'files of that name move, stop or kill processes' });
}

/** A path in the tree, a name below our own cgroup, or a slice. */
export function parseParent(text: string): string {
  const path = text.replace(/(.)\/+$/, '$1');
  const bad = path.split('/').some((part, at) => part === '..' || part === '.' || (part === '' && at > 0));
  if (path === '' || path === '/' || bad) throw new BadValue(`"${text}" is not the path of a cgroup`);
  return path;
}

export function parseCgroups(text: string): NonNullable<ContainerOptions['cgroups']> {
  if (text === 'enabled' || text === 'disabled' || text === 'no-conmon' || text === 'split') return text;
  throw new BadValue(`invalid cgroup mode "${text}"`, { fix: 'one of enabled, disabled, no-conmon, split' });
}

export function parseCgroupns(text: string): 'private' | 'host' {
  if (text === 'private' || text === 'host') return text;
  throw new BadValue(`invalid cgroup mode: ${text}`, { fix: 'private or host' });
}

export function parseSystemd(text: string): 'auto' | 'always' | 'never' {
  const modes = { true: 'auto', always: 'always', false: 'never' } as const;
  if (text === 'true' || text === 'always' || text === 'false') return modes[text];
  throw new BadValue(`"${text}" is none of true, false and always`);
}

/** -1 is docker's default, and asks for nothing. */
export function refuseSwappiness(text: string): undefined {
  if (parseWhole(text, -1, 100) === -1) return undefined;
  throw new BadValue('a container cannot have its own swappiness', { why: 'cgroup v2 has only that of the machine, in /proc/sys/vm' });
}

export function refuseOomKill(text: string): undefined {
  if (text === 'false') return undefined;
  throw new BadValue('the OOM killer cannot be switched off', { why: 'cgroup v2 has no such switch', fix: '--oom-score-adj' });
}

/** 0 asks for nothing. */
export function refuseRealTime(text: string): undefined {
  if (parseWhole(text, 0) === 0) return undefined;
  throw new BadValue('a container cannot have a share of real-time', { why: 'cgroup v2 does not divide it' });
}
