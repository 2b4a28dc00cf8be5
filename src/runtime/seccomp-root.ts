/** Root emulation for one single id: calls that could only fail are answered with success, owners are recorded instead of changed. Pure. */

import type { OciSeccomp, OciSyscallRule } from './oci.ts';

const words = (text: string): string[] => text.split(' ');

/** There is nothing to change, and nobody asks afterwards: the answer is success, and nothing happens. */
const ignored = words('capset setfsuid setfsuid32 setfsgid setfsgid32');

/** Answered by the helper: it records the wanted owner in an attribute, and who a process took itself for in a book. */
const answered = words(
  'chown chown32 fchown fchown32 lchown lchown32 fchownat ' +
    'getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32 getgroups getgroups32 ' +
    'setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 setresgid setresgid32 setgroups setgroups32',
);

/** S_IFMT, S_IFCHR and S_IFBLK of stat(2): a device node cannot be made by a user, and is recorded too; other nodes can be made. */
const typeMask = 0o170000;
const devices = [0o020000, 0o060000];

const nodes: readonly { readonly name: string; readonly modeIndex: number }[] = [
  { name: 'mknod', modeIndex: 1 },
  { name: 'mknodat', modeIndex: 2 },
];

/** Adds the emulation to a filter, or to none. The rules of the profile for these calls are taken out: one call has one answer. */
export function emulateRoot(filter: OciSeccomp | undefined, architectures: readonly string[]): OciSeccomp {
  const base = filter ?? { defaultAction: 'SCMP_ACT_ALLOW', architectures, syscalls: [] };
  const taken = new Set([...ignored, ...answered, ...nodes.map(({ name }) => name)]);
  const kept = base.syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !taken.has(name)) }))
    .filter((rule) => rule.names.length > 0);
  // A rule that only repeats the default action says nothing.
  const added = emulation.filter((rule) => rule.action !== 'SCMP_ACT_ALLOW' || base.defaultAction !== rule.action);
  return { ...base, syscalls: [...asked, ...kept, ...added] };
}

/** First, since the first rule that fits decides. */
const asked: readonly OciSyscallRule[] = [
  // PR_SET_KEEPCAPS and PR_SET_SECUREBITS: who stops being root after them may still become another.
  ...[8, 28].map((value) => ({
    names: ['prctl'],
    action: 'SCMP_ACT_NOTIFY',
    args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
  })),
  // The limit on file locks has no effect, and is where the helper notes who a process is: pam_limits would set it back.
  { names: ['setrlimit'], action: 'SCMP_ACT_ERRNO', errnoRet: 0, args: [{ index: 0, value: 10, op: 'SCMP_CMP_EQ' }] },
  {
    names: ['prlimit64'],
    action: 'SCMP_ACT_ERRNO',
    errnoRet: 0,
    args: [
      { index: 1, value: 10, op: 'SCMP_CMP_EQ' },
      { index: 2, value: 0, op: 'SCMP_CMP_NE' },
    ],
  },
];

const emulation: readonly OciSyscallRule[] = [
  { names: ignored, action: 'SCMP_ACT_ERRNO', errnoRet: 0 },
  { names: answered, action: 'SCMP_ACT_NOTIFY' },
  ...nodes.flatMap(({ name, modeIndex }) =>
    devices.map((type) => ({
      names: [name],
      action: 'SCMP_ACT_NOTIFY',
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
