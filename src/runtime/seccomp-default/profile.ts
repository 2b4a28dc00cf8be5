/** The default seccomp profile in docker's form: a list of what is allowed, some of it only with a capability or on one architecture. */

import type { DockerProfile, DockerRule } from '../seccomp.ts';
import { allowed } from './allowed.ts';

const enosys = 38;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET: a new namespace is how most kernel exploits begin. */
const namespaceFlags = 0x7e020000;

/** personality(2) values that change nothing about security: Linux, 32 bits, and uname 2.6. */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const withCapability: Readonly<Record<string, string>> = {
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN:
    'bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree ' +
    'open_tree_attr perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module init_module finit_module',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node migrate_pages move_pages',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise',
  CAP_SYS_RAWIO: 'iopl ioperm',
  CAP_SYS_TIME: 'settimeofday stime clock_settime clock_settime64',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYSLOG: 'syslog',
};

const allow = (names: readonly string[], more: Partial<DockerRule> = {}): DockerRule => ({ names, action: 'SCMP_ACT_ALLOW', ...more });
const withoutAdmin = { excludes: { caps: ['CAP_SYS_ADMIN'] } };

export const defaultProfile: DockerProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: 1,
  syscalls: [
    allow(allowed),
    // Before Linux 4.8 a tracer could change a call after it was checked.
    allow(['ptrace', 'process_vm_readv', 'process_vm_writev'], { includes: { minKernel: '4.8' } }),
    ...personalities.map((value) => allow(['personality'], { args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] })),
    // Every address family except AF_ALG (38), AF_NFC (39) and AF_VSOCK (40): the last one reaches the hypervisor around the network namespace.
    allow(['socket'], { args: [{ index: 0, value: 38, op: 'SCMP_CMP_LT' }] }),
    allow(['socket'], { args: [{ index: 0, value: 40, op: 'SCMP_CMP_GT' }] }),
    allow(['clone'], { args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }], ...withoutAdmin }),
    // clone3's flags are behind a pointer that a filter cannot follow. "Not implemented" makes C libraries fall back to clone.
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: enosys, ...withoutAdmin },
    allow(['arch_prctl', 'modify_ldt', 'uretprobe'], { includes: { arches: ['amd64', 'x32', 'x86'] } }),
    allow(['breakpoint', 'cacheflush', 'set_tls'], { includes: { arches: ['arm', 'arm64'] } }),
    ...Object.entries(withCapability).map(([capability, names]) => allow(names.split(' '), { includes: { caps: [capability] } })),
  ],
};
