/** newuidmap and newgidmap, which map subordinate ids for a user, and the four things that take their privilege away: one check each. */

import { holdsSetids } from '../userns/host.ts';
import { diagnoseMapper, type Mapper, mountFlags } from '../userns/newuidmap.ts';
import { powerlessMapper } from '../userns/obstacles.ts';
import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';
import { install } from './packages.ts';

export const mapperChecks: readonly Check[] = [
  { id: 'newuidmap', section: 'ids', title: 'newuidmap and newgidmap', look: unlessRoot(mappers) },
  { id: 'nosuid', section: 'ids', title: 'their filesystem', look: unlessRoot(nosuid) },
  { id: 'no-new-privs', section: 'ids', title: 'no_new_privs', look: unlessRoot(noNewPrivs) },
  { id: 'bounding-set', section: 'ids', title: 'bounding set', look: unlessRoot(boundingSet) },
];

function unlessRoot(look: (machine: Machine) => Finding): (machine: Machine) => Finding {
  return (machine) => (machine.host.canMap ? ok('not needed: this process holds CAP_SETUID') : look(machine));
}

const both = ({ host }: Machine): Mapper[] => [host.mappers.uid, host.mappers.gid].filter((mapper) => mapper !== undefined);

function mappers(machine: Machine): Finding {
  const { uid, gid } = machine.host.mappers;
  if (uid === undefined || gid === undefined) {
    return {
      status: 'bad',
      message: `${uid === undefined ? 'newuidmap' : 'newgidmap'} is not installed`,
      why: 'only this set-uid program may map subordinate ids for a user',
      fix: [install(machine, 'shadow', { 'apt-get': 'uidmap', dnf: 'shadow-utils', apk: 'shadow-uidmap' })],
    };
  }
  const powerless = both(machine).filter((mapper) => diagnoseMapper(mapper) === 'no-privilege');
  const [first] = powerless;
  if (first === undefined) return ok(`${uid.path}, ${gid.path}`);
  const { message, why = '' } = powerlessMapper(first.path, 'no-privilege');
  return { status: 'bad', message, why, fix: [`chmod u+s ${powerless.map(({ path }) => path).join(' ')}`] };
}

function nosuid(machine: Machine): Finding {
  const mounts = machine.read('/proc/self/mountinfo');
  const found = both(machine).find(({ path }) => mountFlags(mounts, path).includes('nosuid'));
  if (both(machine).length === 0) return off('they are not installed');
  if (found === undefined) return ok('is not mounted with nosuid');
  const { message, why = '' } = powerlessMapper(found.path, 'nosuid');
  return { status: 'bad', message, why, advice: 'mount that filesystem without nosuid, or install the programs elsewhere' };
}

/** PR_SET_NO_NEW_PRIVS: inherited, and never taken back. */
function noNewPrivs({ read }: Machine): Finding {
  if (!/^NoNewPrivs:\s*1/m.test(read('/proc/self/status'))) return ok('is not set');
  return {
    status: 'bad',
    message: 'set-uid programs have no effect for this process',
    why: 'no_new_privs is set (/proc/self/status, NoNewPrivs)',
    advice:
      'in Kubernetes set allowPrivilegeEscalation: true, in docker leave out --security-opt no-new-privileges, in systemd NoNewPrivileges=no',
  };
}

function boundingSet({ read }: Machine): Finding {
  if (holdsSetids(read('/proc/self/status'), 'CapBnd')) return ok('has CAP_SETUID and CAP_SETGID');
  return {
    status: 'bad',
    message: 'newuidmap and newgidmap cannot have the capabilities that they need',
    why: 'CAP_SETUID or CAP_SETGID is missing from the bounding set of this process (/proc/self/status, CapBnd)',
    advice: 'give the outer container --cap-add SETUID --cap-add SETGID, or the systemd unit a CapabilityBoundingSet= with them',
  };
}
