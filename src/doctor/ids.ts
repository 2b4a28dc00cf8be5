/** Subordinate ids: whether there are enough of them, whether they are this user's alone, and whether they can be mapped. */

import { findObstacle } from '../userns/obstacles.ts';
import { count, intersect } from '../userns/ranges.ts';
import { parseSubidLines } from '../userns/subid.ts';
import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';
import { mapperChecks } from './mappers.ts';
import { nsresourcedCheck } from './nsresourced.ts';

/** Enough for `nobody` (65534), which nearly every image knows. */
const whole = 65_535;

export const idChecks: readonly Check[] = [
  { id: 'subid', section: 'ids', title: 'subordinate ids', look: ranges },
  { id: 'subid-overlap', section: 'ids', title: 'nobody else has them', look: overlap },
  ...mapperChecks,
  { id: 'mapping', section: 'ids', title: 'mapping them, tried', look: mapping },
  nsresourcedCheck,
];

/** The lowest one that no owner in the files has, and no account of this machine. */
function freshRange(read: Machine['read']): string {
  const owned = ['/etc/subuid', '/etc/subgid'].flatMap((file) => parseSubidLines(read(file)));
  const taken = [...owned, ...['/etc/passwd', '/etc/group'].flatMap((file) => accounts(read(file)))];
  const first = taken
    .sort((a, b) => a.start - b.start)
    .reduce((at, { start, size }) => (start < at + 65_536 ? Math.max(at, start + size) : at), 100_000);
  return `${first}-${first + 65_535}`;
}

/** Of /etc/passwd or /etc/group: the third field. */
function accounts(text: string): { name: string; start: number; size: 1 }[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , id = ''] = line.split(':');
    return /^\d+$/.test(id) ? [{ name, start: Number(id), size: 1 as const }] : [];
  });
}

function grant({ host, read }: Machine): string[] {
  const range = freshRange(read);
  return [`usermod --add-subuids ${range} --add-subgids ${range} ${host.name}`];
}

function ranges(machine: Machine): Finding {
  const { host } = machine;
  const fix = grant(machine);
  const usable = { uid: intersect(host.subids.uid, host.outer.uid), gid: intersect(host.subids.gid, host.outer.gid) };
  const sizes = { uid: count(usable.uid), gid: count(usable.gid) };
  if (sizes.uid === 0 || sizes.gid === 0) {
    if (host.canMap) return ok('not needed: this process holds CAP_SETUID');
    const obstacle = findObstacle(host, usable);
    return {
      status: 'warn',
      message: `${obstacle?.message ?? 'none'}: containers get one user id, and ownership is emulated`,
      ...(obstacle?.why ? { why: obstacle.why } : {}),
      ...(obstacle?.fix ? { fix } : { advice: 'the outer container must be given a larger map' }),
    };
  }
  const least = Math.min(sizes.uid, sizes.gid);
  const text = `${sizes.uid} user and ${sizes.gid} group ids`;
  if (least < whole) return { status: 'warn', message: `only ${text}: ids of images above ${least} cannot be stored`, fix };
  return ok(text);
}

/** Two owners of one id can kill and read each other's containers. */
function overlap({ host, read }: Machine): Finding {
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    const lines = parseSubidLines(read(file));
    const mine = lines.filter(({ owner }) => owner === host.name || owner === String(host.uid));
    for (const range of mine) {
      const other = lines.find((line) => !mine.includes(line) && intersect([line], [range]).length > 0);
      if (other === undefined) continue;
      const flag = file === '/etc/subuid' ? 'subuids' : 'subgids';
      const span = (start: number, size: number) => `${start}-${start + size - 1}`;
      return {
        status: 'bad',
        message: `"${other.owner}" has ids of yours too`,
        why: `${file} gives ${span(range.start, range.size)} to ${host.name} and ${span(other.start, other.size)} to ${other.owner}: each may end and read the containers of the other`,
        fix: [`usermod --del-${flag} ${span(range.start, range.size)} --add-${flag} ${freshRange(read)} ${host.name}`],
      };
    }
  }
  const account = accountWithin(host, read);
  if (account) return account;
  return ok('each id has one owner');
}

/** Files of a container's users would be that account's, and the other way round. */
function accountWithin(host: Machine['host'], read: Machine['read']): Finding | undefined {
  for (const [file, ranges] of [
    ['/etc/passwd', host.subids.uid],
    ['/etc/group', host.subids.gid],
  ] as const) {
    for (const account of accounts(read(file))) {
      if (intersect([account], ranges).length === 0) continue;
      const { name, start: id } = account;
      const [kind, flag] = file === '/etc/passwd' ? ['user', 'subuids'] : ['group', 'subgids'];
      const range = ranges.find(({ start, size }) => id >= start && id < start + size);
      const mine = range && `${range.start}-${range.start + range.size - 1}`;
      return {
        status: 'bad',
        message: `the ${kind} "${name}" of this machine has an id of yours: ${id}`,
        why: `${file} gives it to "${name}", and it is in your range ${mine}: a container's ${kind} is that ${kind} here`,
        fix: [`usermod --del-${flag} ${mine} --add-${flag} ${freshRange(read)} ${host.name}`],
      };
    }
  }
  return undefined;
}

async function mapping({ mapping: chosen, probe, read }: Machine): Promise<Finding> {
  if (chosen.mode === 'single') return off('there is one id only');
  const { ok: works, errno, message, step } = await probe('userns');
  if (works) return ok(chosen.mode === 'ranges' ? 'a namespace with all of them was made' : 'written directly');
  if (step !== 'map-ids') return off('no user namespace could be made');
  const proc = procOptions(read('/proc/self/mountinfo'));
  const hidden = proc.some((option) => /^hidepid=(?!0$|off$)/.test(option));
  return {
    status: 'bad',
    message: `the ids cannot be mapped: ${errno ?? message ?? 'refused'}`,
    ...(hidden
      ? { why: '/proc is mounted with hidepid, which hides the process to map from newuidmap', fix: ['mount -o remount,hidepid=0 /proc'] }
      : {}),
    ...(hidden ? {} : { advice: 'compare /etc/subuid and /etc/subgid with what is in your name there' }),
  };
}

/** Options of /proc itself, of the mount and of the filesystem behind it. */
export function procOptions(mountinfo: string): string[] {
  const line = mountinfo.split('\n').findLast((text) => text.split(' ')[4] === '/proc');
  const [left = '', right = ''] = line?.split(' - ') ?? [];
  return [...(left.split(' ')[5] ?? '').split(','), ...(right.split(' ')[2] ?? '').split(',')];
}
