/** Subordinate ids and the set-uid programs that map them. */

import { findObstacle, powerlessMapper } from '../userns/obstacles.ts';
import { diagnoseMapper } from '../userns/newuidmap.ts';
import { count, intersect } from '../userns/ranges.ts';
import { parseSubidLines } from '../userns/subid.ts';
import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';
import { nsresourcedCheck } from './nsresourced.ts';

/** Enough for `nobody` (65534), which nearly every image knows. */
const whole = 65_535;

export const idChecks: readonly Check[] = [
  { id: 'subid', section: 'ids', title: 'subordinate ids', look: ranges },
  { id: 'subid-overlap', section: 'ids', title: 'nobody else has them', look: overlap },
  { id: 'newuidmap', section: 'ids', title: 'newuidmap and newgidmap', look: mappers },
  { id: 'mapping', section: 'ids', title: 'mapping them, tried', look: mapping },
  nsresourcedCheck,
];

/** Commands for ranges that no other owner in the file has. */
function grant({ host, read }: Machine): string[] {
  const taken = ['/etc/subuid', '/etc/subgid'].flatMap((file) => parseSubidLines(read(file)).map(({ start, size }) => start + size));
  const first = Math.max(100_000, ...taken);
  const range = `${first}-${first + 65_535}`;
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
      const next = Math.max(...lines.map(({ start, size }) => start + size));
      const flag = file === '/etc/subuid' ? 'subuids' : 'subgids';
      const span = (start: number, size: number) => `${start}-${start + size - 1}`;
      return {
        status: 'bad',
        message: `"${other.owner}" has ids of yours too`,
        why: `${file} gives ${span(range.start, range.size)} to ${host.name} and ${span(other.start, other.size)} to ${other.owner}: each may end and read the containers of the other`,
        fix: [`usermod --del-${flag} ${span(range.start, range.size)} --add-${flag} ${span(next, range.size)} ${host.name}`],
      };
    }
  }
  return ok('each id has one owner');
}

function mappers({ host }: Machine): Finding {
  if (host.canMap) return ok('not needed: this process holds CAP_SETUID');
  const { uid, gid } = host.mappers;
  if (uid === undefined || gid === undefined) {
    const missing = uid === undefined ? 'newuidmap' : 'newgidmap';
    return {
      status: 'bad',
      message: `${missing} is not installed`,
      why: 'only this set-uid program may map subordinate ids for a user',
      fix: ['apt-get install -y uidmap || dnf install -y shadow-utils || apk add shadow-uidmap || pacman -S --noconfirm shadow'],
    };
  }
  if (host.privilegesBarred) {
    const newPrivs = host.privilegesBarred === 'no-new-privs';
    return {
      status: 'bad',
      message: 'set-uid programs have no effect for this process',
      why: newPrivs
        ? 'no_new_privs is set (/proc/self/status, NoNewPrivs)'
        : 'CAP_SETUID or CAP_SETGID is missing from its bounding set (/proc/self/status, CapBnd)',
      advice: newPrivs
        ? 'in Kubernetes set allowPrivilegeEscalation: true, in docker leave out --security-opt no-new-privileges, in systemd NoNewPrivileges=no'
        : 'give the outer container --cap-add SETUID --cap-add SETGID',
    };
  }
  for (const mapper of [uid, gid]) {
    const fault = diagnoseMapper(mapper);
    if (fault === undefined) continue;
    const { message, why } = powerlessMapper(mapper.path, fault);
    const cause = why ? { why } : {};
    if (fault === 'no-privilege') return { status: 'bad', message, ...cause, fix: [`chmod u+s ${uid.path} ${gid.path}`] };
    return { status: 'bad', message, ...cause, advice: 'mount that filesystem without nosuid, or install the programs elsewhere' };
  }
  return ok(`${uid.path}, ${gid.path}`);
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
