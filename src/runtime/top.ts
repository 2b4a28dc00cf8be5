/** The processes of a container as podman's descriptors name them: facts of /proc, ids as the container sees them and as the host does. */

import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { uptime } from 'node:os';
import { type ProcessStat, ticks } from './processes.ts';

/** One process, and the texts of /proc that a column may need; read when asked for. */
export type Inspected = {
  readonly stat: ProcessStat;
  readonly status: (key: string) => string;
  readonly argv: () => string;
  readonly names: Names;
};

/** /etc/passwd and /etc/group of the container and of the host, by id. */
export type Names = {
  readonly user: (id: string) => string;
  readonly group: (id: string) => string;
  readonly hostUser: (id: string) => string;
  readonly hostGroup: (id: string) => string;
  /** Of the container, for an id of the host. */
  readonly inside: (kind: 'uid' | 'gid', id: string) => string;
};

type Column = { readonly heading: string; readonly value: (process: Inspected) => string };

/** podman's descriptors. */
export const descriptors: Readonly<Record<string, Column>> = Object.assign(Object.create(null), {
  args: column('COMMAND', ({ stat, argv }) => argv() || `[${stat.comm}]`),
  capbnd: column('BOUNDING CAPS', ({ status }) => status('CapBnd')),
  capeff: column('EFFECTIVE CAPS', ({ status }) => status('CapEff')),
  capinh: column('INHERITED CAPS', ({ status }) => status('CapInh')),
  capprm: column('PERMITTED CAPS', ({ status }) => status('CapPrm')),
  comm: column('COMMAND', ({ stat }) => stat.comm),
  etime: column('ELAPSED', ({ stat }) => elapsed(age(stat))),
  group: column('GROUP', ({ status, names }) => names.group(names.inside('gid', first(status('Gid'))))),
  hgroup: column('HGROUP', ({ status, names }) => names.hostGroup(first(status('Gid')))),
  hpid: column('HPID', ({ stat }) => String(stat.pid)),
  huser: column('HUSER', ({ status, names }) => names.hostUser(first(status('Uid')))),
  nice: column('NI', ({ stat }) => String(stat.nice)),
  pcpu: column('%CPU', ({ stat }) => ((stat.time / ticks / Math.max(age(stat), 1 / ticks)) * 100).toFixed(3)),
  pgid: column('PGID', ({ status }) => last(status('NSpgid'))),
  pid: column('PID', ({ status }) => last(status('NSpid'))),
  ppid: column('PPID', (process) => parentInside(process)),
  rss: column('RSS', ({ status }) => status('VmRSS').replace(' kB', '') || '0'),
  seccomp: column('SECCOMP', ({ status }) => ['disabled', 'strict', 'filter'][Number(status('Seccomp'))] ?? '?'),
  state: column('STATE', ({ stat }) => stat.state),
  stime: column('STIME', ({ stat }) => startText(stat)),
  time: column('TIME', ({ stat }) => elapsed(Math.floor(stat.time / ticks))),
  tty: column('TTY', ({ stat }) => terminal(stat.tty)),
  user: column('USER', ({ status, names }) => names.user(names.inside('uid', first(status('Uid'))))),
  vsz: column('VSZ', ({ stat }) => String(Math.floor(stat.size / 1024))),
});

/** podman's default. */
export const usualDescriptors = ['user', 'pid', 'ppid', 'pcpu', 'etime', 'tty', 'time', 'args'] as const;

/** ps(1)'s codes for the same. */
export const codes: Readonly<Record<string, string>> = Object.assign(Object.create(null), {
  '%C': 'pcpu',
  '%G': 'group',
  '%P': 'ppid',
  '%U': 'user',
  '%a': 'args',
  '%c': 'comm',
  '%n': 'nice',
  '%p': 'pid',
  '%r': 'pgid',
  '%t': 'etime',
  '%x': 'time',
  '%y': 'tty',
  '%z': 'vsz',
});

export function inspectProcess(stat: ProcessStat, names: Names): Inspected {
  let lines: ReadonlyMap<string, string> | undefined;
  return {
    stat,
    names,
    status: (key) => {
      lines ??= statusLines(read(`/proc/${stat.pid}/status`));
      return lines.get(key) ?? '';
    },
    argv: () => read(`/proc/${stat.pid}/cmdline`).replace(/\0+$/, '').replaceAll('\0', ' '),
  };
}

/** @param init  the container's first process: its files and its mapping are the container's */
export function namesOf(init: number): Names {
  const etc = `/proc/${init}/root/etc`;
  const inside = { user: parseNames(readInside(etc, 'passwd')), group: parseNames(readInside(etc, 'group')) };
  const outside = { user: parseNames(read('/etc/passwd')), group: parseNames(read('/etc/group')) };
  const maps = { uid: read(`/proc/${init}/uid_map`), gid: read(`/proc/${init}/gid_map`) };
  return {
    user: (id) => inside.user.get(id) ?? id,
    group: (id) => inside.group.get(id) ?? id,
    hostUser: (id) => outside.user.get(id) ?? id,
    hostGroup: (id) => outside.group.get(id) ?? id,
    inside: (kind, id) => fromHost(maps[kind], id),
  };
}

/** Lines of /proc/PID/uid_map: first id inside, first id outside, how many. */
export function fromHost(map: string, id: string): string {
  for (const line of map.split('\n')) {
    const [within = 0, without = 0, count = 0] = line.trim().split(/\s+/).map(Number);
    const offset = Number(id) - without;
    if (offset >= 0 && offset < count) return String(within + offset);
  }
  return 'nobody';
}

/** d-hh:mm:ss as ps has it, without the parts that are zero. */
export function elapsed(seconds: number): string {
  const two = (count: number) => String(Math.floor(count)).padStart(2, '0');
  const [days, hours] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24];
  const rest = `${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${days > 0 ? `${days}-` : ''}${days + hours > 0 ? `${two(hours)}:` : ''}${rest}`;
}

/** Numbers of devices.txt: consoles are major 4, terminals of sessions 136 to 143. */
export function terminal(number: number): string {
  const major = (number >> 8) & 0xfff;
  const minor = (number & 0xff) | ((number >> 12) & 0xfff00);
  if (number === 0) return '?';
  return major >= 136 && major <= 143 ? `pts/${(major - 136) * 256 + minor}` : `tty${minor}`;
}

function column(heading: string, value: (process: Inspected) => string): Column {
  return { heading, value };
}

function age({ started }: ProcessStat): number {
  return Math.max(0, uptime() - started / ticks);
}

function startText(stat: ProcessStat): string {
  const date = new Date(Date.now() - age(stat) * 1000);
  const two = (count: number) => String(count).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The parent's number in the container; 0 for one whose parent is outside of it. */
function parentInside({ stat, status }: Inspected): string {
  if (last(status('NSpid')) === '1') return '0';
  try {
    if (readlinkSync(`/proc/${stat.ppid}/ns/pid`) !== readlinkSync(`/proc/${stat.pid}/ns/pid`)) return '0';
  } catch {
    return '0';
  }
  return last(statusLines(read(`/proc/${stat.ppid}/status`)).get('NSpid') ?? '0');
}

function statusLines(text: string): ReadonlyMap<string, string> {
  return new Map(text.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
}

function parseNames(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\n').map((line) => line.split(':'));
  // The first line of an id counts, as with getpwuid(3).
  return new Map(lines.reverse().map(([name = '', , id = '']) => [id, name]));
}

/** Bytes; more is no file of names. */
const namesLimit = 4 * 1024 * 1024;

/**
 * The container owns these files: a link there would be followed on the host, a pipe would keep us waiting, and either could be put in
 * place at any moment. Without links and by an opened folder none of it happens.
 */
export function readInside(folder: string, name: string): string {
  const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  try {
    const place = openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      const file = openSync(`/proc/self/fd/${place}/${name}`, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      try {
        const stat = fstatSync(file);
        return stat.isFile() && stat.size <= namesLimit ? readFileSync(file, 'utf8') : '';
      } finally {
        closeSync(file);
      }
    } finally {
      closeSync(place);
    }
  } catch {
    return '';
  }
}

function first(text: string): string {
  return text.split(/\s+/)[0] ?? '';
}

function last(text: string): string {
  return text.split(/\s+/).at(-1) ?? '';
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
