/** The doctor where more has to be broken than one file: ids that are really mapped, modules of the kernel, services that answer, a session. */

import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { mode } from '../support/checkout.ts';
import { asUser, broken, own } from '../support/doctor.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns'] as const;

/** Of ids 0 and up, where 1000 is the caller and the others are subordinate: in files of the test's root the set-uid bit counts. */
const many = ['-U', '--map-auto', '--map-user=1000', '--map-group=1000', '--setuid', '0', '--setgid', '0', '-m'] as const;
const mapper = (program: string) =>
  [
    'mount -t tmpfs none /run && cd /run && mkdir bin data ana && chown 1000:1000 data ana',
    `cp ${program} bin/newuidmap && cp /usr/bin/newgidmap bin/ && chmod 4755 bin/*`,
    'for name in newuidmap newgidmap; do mount --bind bin/$name /usr/bin/$name; done',
    'echo root:x:0:0::/:/bin/sh > passwd && echo ana:x:1000:1000::/:/bin/sh >> passwd && mount --bind passwd /etc/passwd',
    'echo ana:2000:60000 > ids && mount --bind ids /etc/subuid && mount --bind ids /etc/subgid',
    'exec setpriv --reuid=1000 --regid=1000 --clear-groups DOCTOR',
  ].join(' && ');

if (mode === 'ranges') {
  live('ids that cannot be mapped are found by mapping them', needs, () => {
    const look = (program: string) => broken('mapping', many, mapper(program), { ROOTLESS_DATA: '/run/data', XDG_RUNTIME_DIR: '/run/ana' });
    const good = look('/usr/bin/newuidmap');
    assert.is(good.message, 'a namespace with all of them was made');
    const refuses = look('/bin/false');
    assert.is(refuses.status, 'bad', refuses.message);
    assert.match(refuses.message, /^the ids cannot be mapped: /);
  });
}

live("AppArmor's restriction: a profile that allows is believed when it works, else it is named as the cause", [...needs, 'python'], () =>
  withTmp((folder) => {
    const restricted = 'mount -t tmpfs none /proc/sys/kernel && echo 1 > /proc/sys/kernel/apparmor_restrict_unprivileged_userns';
    assert.match(broken('apparmor', own, `${restricted}; :`).message, /the helper has a profile that allows them/);
    // As the profile of Ubuntu does: the namespace is made, and what needs a capability in it is refused.
    writeFileSync(join(folder, 'no-mounts.py'), withoutMounts);
    const { status, why, fix } = broken('apparmor', own, `${restricted} && exec python3 ${folder}/no-mounts.py DOCTOR`);
    assert.is(status, 'bad');
    assert.match(why ?? '', /apparmor_restrict_unprivileged_userns is 1/);
    assert.match((fix ?? []).join('\n'), /apparmor_parser -r/);
    const none = broken('apparmor', own, `${restricted} && echo 0 > /proc/sys/user/max_mnt_namespaces; :`);
    assert.is(none.status, 'off', none.message);
  }),
);

/** mount(2) answers EACCES: a seccomp filter of four instructions, then the program. */
const withoutMounts = `
import ctypes, os, platform, struct, sys
number = {'x86_64': 165, 'aarch64': 40}[platform.machine()]
code = b''.join(struct.pack('HBBI', *one) for one in [(0x20, 0, 0, 0), (0x15, 0, 1, number), (6, 0, 0, 0x50000 | 13), (6, 0, 0, 0x7fff0000)])
held = ctypes.create_string_buffer(code)
class Program(ctypes.Structure): _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
program = Program(4, ctypes.addressof(held))
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
`;

live('nsresourced: a service that answers, refuses, hangs up or is another is told apart', needs, () =>
  withTmp((folder) => {
    writeFileSync(join(folder, 'serve.mjs'), varlinkServer);
    const look = (says: object | 'nothing') => {
      const socket = '/run/systemd/io.systemd.NamespaceResource';
      const serve = `"${process.execPath}" ${folder}/serve.mjs ${socket} '${JSON.stringify(says)}' & while [ ! -S ${socket} ]; do sleep 0.05; done`;
      return broken('nsresourced', own, `mount -t tmpfs none /run && mkdir /run/systemd; ${serve}; DOCTOR; code=$?; kill $!; exit $code`);
    };
    const service = { product: 'systemd (systemd-nsresourcework)', version: '257 (257-1)', interfaces: ['io.systemd.NamespaceResource'] };
    assert.match(look({ parameters: service }).message, /^systemd 257 (answers|would lend)/);
    assert.match(look({ error: 'org.varlink.service.PermissionDenied' }).message, /refuses: org\.varlink\.service\.PermissionDenied/);
    assert.match(look({ parameters: { ...service, interfaces: ['io.systemd.Journal'] } }).message, /answers, and lends no ids/);
    assert.match(look('nothing').message, /does not answer here/);
  }),
);

const varlinkServer = `
import { createServer } from 'node:net';
const [path, says] = process.argv.slice(2);
createServer((wire) => wire.on('error', () => {}).once('data', () => wire.end(says === '"nothing"' ? '' : says + '\\0'))).listen(path);
`;

const booted =
  'mount -t tmpfs none /run && mkdir -p /run/systemd/system && mount -t tmpfs none /var/lib && mkdir -p /var/lib/systemd/linger';
// As no account has that id, its number is its name.
const name = '1000';

live('the end of a login is the end of containers, where nobody lingers', needs, () => {
  const off = broken('linger', own, `${booted} && ${nobody} && ${asUser}`);
  assert.is(off.status, 'warn');
  assert.match(off.message, /end when you log out/);
  assert.equal(off.fix, [`loginctl enable-linger ${name}`]);
  assert.match(broken('linger', own, `${booted} && ${nobody} && touch /var/lib/systemd/linger/${name} && ${asUser}`).message, /^on:/);
});

/** No account has the id 1000. */
const nobody = 'mount --bind /dev/null /etc/passwd';

live('a bus of the user that is missing, and one that nobody serves any more, are found by connecting', needs, () =>
  withTmp((folder) => {
    writeFileSync(
      join(folder, 'gone.mjs'),
      "import { createServer } from 'node:net'; createServer().listen('/run/user/1000/bus', () => process.kill(process.pid, 9));",
    );
    const missing = broken('bus', own, `${booted} && ${nobody} && ${asUser}`);
    assert.is(missing.status, 'warn');
    assert.match(missing.message, /no user session: \/run\/user\/1000\/bus is missing/);
    const left = `mkdir -p /run/user/1000 && { "${process.execPath}" ${folder}/gone.mjs; test -S /run/user/1000/bus; }`;
    assert.match(broken('bus', own, `${booted} && ${nobody} && ${left} && ${asUser}`).message, /does not answer \(ECONNREFUSED\)/);
  }),
);

/** A tree of cgroups as files: what the kernel tells of this process, and of a user's group. */
const tree = (group: string, controllers: string) =>
  [
    'mount -t tmpfs none /sys/fs/cgroup && mkdir -p /sys/fs/cgroup/user.slice/mine /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service',
    `echo 0::${group} > /sys/fs/cgroup/own && mount --bind /sys/fs/cgroup/own /proc/$$/cgroup`,
    "echo '1 0 0:6 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw' > /sys/fs/cgroup/info && mount --bind /sys/fs/cgroup/info /proc/$$/mountinfo",
    `echo ${controllers} | tee /sys/fs/cgroup/user.slice/mine/cgroup.controllers > /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers`,
    'touch /sys/fs/cgroup/user.slice/mine/cgroup.procs && chmod 666 /sys/fs/cgroup/user.slice/mine/cgroup.procs',
  ].join(' && ');

live('delegation: no group of its own, one with too little, and one with all', needs, () => {
  const none = broken('delegation', own, `${tree('/system.slice/cron', '')} && ${nobody} && ${asUser}`);
  assert.is(none.status, 'warn', none.message);
  assert.match(`${none.message} ${none.why}`, /no group of the tree is yours.*"?\/system\.slice\/cron"? belongs to somebody else/);
  assert.equal(none.fix, [`loginctl enable-linger ${name}`, 'systemctl start user@1000.service']);
  const some = broken('delegation', own, `${tree('/user.slice/mine', 'memory pids')} && ${asUser}`);
  assert.match(some.message, /^cpu, cpuset, io are not delegated \(memory pids are\)$/);
  assert.is(broken('delegation', own, `${tree('/user.slice/mine', 'cpu pids')} && ${asUser}`).status, 'bad');
  assert.is(broken('delegation', own, `${tree('/user.slice/mine', 'cpuset cpu io memory pids')} && ${asUser}`).status, 'ok');
  assert.match(broken('delegation', own, `${tree('/elsewhere', 'cpu memory pids')} && ${asUser}`).message, /cpuset, io are not delegated/);
});

live('what is around us is named', needs, () => {
  // docker's file is looked for first, and cannot be taken away here.
  const podman = 'mount -t tmpfs none /run && touch /run/.containerenv; :';
  const { message } = broken('nesting', own, podman);
  assert.match(message, /inside (docker|podman), with 1 id; a namespace below another was made/);
});

live.run();
