/** Root emulation for one single id: calls that could only fail are answered with success, owners are recorded instead of changed. Pure. */

import type { OciSeccomp, OciSyscallRule } from './oci.ts';

const words = (text: string): string[] => text.split(' ');

/** No other id exists, so there is nothing to change to: the answer is success, and nothing happens. */
const ignored = words(
  'capset setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 ' +
    'setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32',
);

/** Answered by the helper, which writes the wanted owner into an extended attribute. */
const recorded = words('chown chown32 fchown fchown32 lchown lchown32 fchownat');

/** S_IFMT, S_IFCHR and S_IFBLK of stat(2): a device node cannot be made by a user, other nodes can. */
const typeMask = 0o170000;
const devices = [0o020000, 0o060000];

const nodes: readonly { readonly name: string; readonly modeIndex: number }[] = [
  { name: 'mknod', modeIndex: 1 },
  { name: 'mknodat', modeIndex: 2 },
];

/** Adds the emulation to a filter, or to none. The rules of the profile for these calls are taken out: one call has one answer. */
export function emulateRoot(filter: OciSeccomp | undefined, architectures: readonly string[]): OciSeccomp {
  const base = filter ?? { defaultAction: 'SCMP_ACT_ALLOW', architectures, syscalls: [] };
  const taken = new Set([...ignored, ...recorded, ...nodes.map(({ name }) => name)]);
  const kept = base.syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !taken.has(name)) }))
    .filter((rule) => rule.names.length > 0);
  // A rule that only repeats the default action says nothing.
  const added = emulation.filter((rule) => rule.action !== 'SCMP_ACT_ALLOW' || base.defaultAction !== rule.action);
  return { ...base, syscalls: [...kept, ...added] };
}

const emulation: readonly OciSyscallRule[] = [
  { names: ignored, action: 'SCMP_ACT_ERRNO', errnoRet: 0 },
  { names: recorded, action: 'SCMP_ACT_NOTIFY' },
  ...nodes.flatMap(({ name, modeIndex }) =>
    devices.map((type) => ({
      names: [name],
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 0,
      args: [{ index: modeIndex, value: typeMask, valueTwo: type, op: 'SCMP_CMP_MASKED_EQ' }],
    })),
  ),
  // Regular files, pipes and sockets are made as usual: type 0 is a regular file (mknod(2)).
  ...nodes.flatMap(({ name, modeIndex }) =>
    [0, 0o100000, 0o010000, 0o140000].map((type) => ({
      names: [name],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: modeIndex, value: typeMask, valueTwo: type, op: 'SCMP_CMP_MASKED_EQ' }],
    })),
  ),
];
