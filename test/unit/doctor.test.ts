/** The doctor's findings, each on a machine that is broken in one place. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { report } from '../../src/cli/doctor-report.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { checks, examine, repairScript } from '../../src/doctor/index.ts';
import type { Machine } from '../../src/doctor/machine.ts';
import type { Paths } from '../../src/paths.ts';
import type { Host } from '../../src/userns/host.ts';
import { checkout } from '../support/checkout.ts';
import { ana as usual } from '../support/host.ts';

const range = (start: number, size: number) => [{ start, size }];
const ana: Host = { ...usual, subids: { uid: range(100000, 65536), gid: range(100000, 65536) } };

/** Nothing is wrong with it. */
const files: Readonly<Record<string, string>> = {
  '/etc/subuid': 'ana:100000:65536\n',
  '/etc/subgid': 'ana:100000:65536\n',
  '/etc/resolv.conf': 'nameserver 192.0.2.53\n',
  '/proc/self/status': 'CapBnd:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\n',
  '/proc/sys/user/max_user_namespaces': '96000\n',
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nana:x:1000:100::/home/ana:/bin/sh\n',
  '/etc/group': 'root:x:0:\nusers:x:100:ana\n',
  '/proc/self/cgroup': '0::/user.slice/user-1000.slice/session-1.scope\n',
  '/proc/self/mountinfo': [
    '1 0 8:1 / / rw,relatime - ext4 /dev/vda rw',
    '2 1 0:5 / /proc rw,nosuid,nodev,noexec - proc proc rw',
    '3 1 0:6 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
  ].join('\n'),
  '/proc/sys/net/ipv4/ping_group_range': '0\t2147483647\n',
  '/proc/sys/net/ipv4/ip_unprivileged_port_start': '1024\n',
  '/proc/sys/fs/inotify/max_user_instances': '1024\n',
  '/proc/sys/fs/inotify/max_user_watches': '65536\n',
  '/proc/key-users': '    0:    10 9/9 5/1000000 90/25000000\n 1000:     3 3/3 3/200 40/20000\n',
  '/proc/self/limits':
    'Limit                     Soft Limit           Hard Limit           Units\nMax processes             4096                 96365                processes\nMax open files            1024                 unlimited            files\n',
  '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers': 'cpuset cpu io memory pids\n',
};
const there = ['/run/systemd/system', '/run/user/1000', '/var/lib/systemd/linger/ana', '/store/containers'];

type Broken = Partial<Omit<Machine, 'read'>> & { readonly files?: Readonly<Record<string, string>>; readonly gone?: readonly string[] };

function machine({ files: changed = {}, gone = [], ...rest }: Broken = {}): Machine {
  const all: Record<string, string> = { ...files, ...changed };
  return {
    paths: { data: '/store', runtime: '/run/user/1000/rootless', helper: '/opt/rootless-helper', registry: {} } as Paths,
    host: ana,
    mapping: { mode: 'ranges', idMap: { uid: [], gid: [] } },
    env: {},
    read: (path) => all[path] ?? '',
    link: () => '',
    exists: (path) => (there.includes(path) || path in all) && !gone.includes(path),
    open: (path) => (path === '/sys/fs/cgroup/user.slice/user-1000.slice/session-1.scope/cgroup.procs' ? 'EACCES' : undefined),
    connect: async () => undefined,
    write: () => undefined,
    watch: () => undefined,
    dial: async () => undefined,
    listen: async (port) => (port < 1024 ? 'EACCES' : undefined),
    ask: async () => undefined,
    slirp: async () => undefined,
    varlink: async () => undefined,
    disk: () => ({ free: 50 * 2 ** 30, size: 100 * 2 ** 30, freeFiles: 1e6, files: 2e6, kind: 0xef53 }),
    find: (program) => `/usr/bin/${program}`,
    run: () => ({ status: 0, stdout: '', stderr: '' }),
    probe: async () => ({ ok: true }),
    ...rest,
  };
}

async function finding(id: string, broken: Broken): Promise<Finding> {
  const check = checks.find((known) => known.id === id);
  if (check === undefined) throw new Error(`no check ${id}`);
  return check.look(machine(broken));
}

test('every check has an id and a title of its own', () => {
  assert.is(new Set(checks.map(({ id }) => id)).size, checks.length);
  assert.is(new Set(checks.map(({ title }) => title)).size, checks.length);
});

test('on a machine with everything nothing is wrong, and there is nothing to mend', async () => {
  const results = await examine(machine());
  assert.equal(
    results.filter(({ status }) => status === 'bad' || status === 'warn'),
    [],
  );
  assert.is(repairScript(results), undefined);
});

type Case = readonly [id: string, what: string, broken: Broken, status: Finding['status'], says: RegExp, fix?: RegExp];

const cut = (...names: (keyof Host['mappers'])[]) => ({
  ...ana,
  mappers: { ...ana.mappers, ...Object.fromEntries(names.map((name) => [name, undefined])) },
});
const refuse = (wanted: string, facts: Omit<Awaited<ReturnType<Machine['probe']>>, 'ok'>) => ({
  probe: async (what: string) => (what.startsWith(wanted) ? { ok: false, ...facts } : { ok: true }),
});
const closed = (path: string, code: string) => ({
  open: (asked: string) => (asked === path ? code : asked.endsWith('cgroup.procs') ? 'EACCES' : undefined),
});
const none = { uid: [], gid: [] };
const one: Machine['mapping'] = { mode: 'single', idMap: { uid: [], gid: [] } };
const service = (facts: Record<string, unknown>) => async () => ({
  parameters: {
    product: 'systemd (systemd-nsresourcework)',
    version: '257.1 (257.1-1)',
    interfaces: ['io.systemd.NamespaceResource'],
    ...facts,
  },
});

const cases: readonly Case[] = [
  [
    'subid',
    'without a range',
    { host: { ...ana, subids: none }, files: { '/etc/subuid': 'bo:100000:65536\n' } },
    'warn',
    /one user id/,
    /add-subuids 165536-231071 .* ana$/,
  ],
  [
    'subid',
    'with a short range',
    { host: { ...ana, subids: { uid: range(100000, 1000), gid: range(100000, 65536) } } },
    'warn',
    /above 1000/,
    /usermod/,
  ],
  [
    'subid',
    'with ranges that do not exist around it',
    { host: { ...ana, outer: { uid: range(0, 65536), gid: range(0, 65536) } } },
    'warn',
    /do not exist in this user namespace/,
  ],
  [
    'subid-overlap',
    'with ids of another',
    { files: { '/etc/subuid': 'bo:165000:65536\nana:100000:65536\n' } },
    'bad',
    /"bo" has ids of yours/,
    /--del-subuids 100000-165535 --add-subuids 230536-296071 ana/,
  ],
  [
    'subid',
    'without a range, where others and accounts leave a gap',
    {
      host: { ...ana, subids: none },
      files: {
        '/etc/subuid': 'eve:1300000000:65536\nbo:100000:65536\n',
        '/etc/subgid': 'bo:165536:10\n',
        '/etc/passwd': 'deb:x:170000:100::/:/bin/sh\n',
      },
    },
    'warn',
    /one user id/,
    /--add-subuids 170001-235536 --add-subgids 170001-235536 ana$/,
  ],
  ['newuidmap', 'without newuidmap', { host: cut('uid') }, 'bad', /newuidmap is not installed/, /uidmap/],
  ['newuidmap', 'without newgidmap', { host: cut('gid') }, 'bad', /newgidmap is not installed/, /uidmap/],
  [
    'newuidmap',
    'where both have lost their bits',
    { host: { ...ana, mappers: { uid: { path: '/bin/true', setuid: false }, gid: { path: '/bin/false', setuid: false } } } },
    'bad',
    /"\/bin\/true" has no privilege/,
    /^chmod u\+s \/bin\/true \/bin\/false$/,
  ],
  [
    'nosuid',
    'with newuidmap on nosuid',
    { files: { '/proc/self/mountinfo': '1 0 8:1 / / rw - ext4 x rw\n2 1 8:2 / /usr rw,nosuid - ext4 y rw' } },
    'bad',
    /"\/usr\/bin\/newuidmap" has no privilege/,
  ],
  ['nosuid', 'without the programs', { host: cut('uid', 'gid') }, 'off', /not installed/],
  [
    'no-new-privs',
    'with no_new_privs',
    { files: { '/proc/self/status': 'CapBnd:\t000001ffffffffff\nNoNewPrivs:\t1\n' } },
    'bad',
    /set-uid programs have no effect/,
  ],
  [
    'bounding-set',
    'without CAP_SETUID in the bounding set',
    { files: { '/proc/self/status': 'CapBnd:\t000001ffffffff7f\nNoNewPrivs:\t0\n' } },
    'bad',
    /cannot have the capabilities/,
  ],
  [
    'subid-overlap',
    'with the id of an account of the machine in the range',
    { files: { '/etc/passwd': 'deb:x:120000:120000::/:/bin/sh\n' } },
    'bad',
    /the user "deb" of this machine has an id of yours: 120000/,
    /^usermod --del-subuids 100000-165535 --add-subuids 165536-231071 ana$/,
  ],
  [
    'userns-sysctls',
    'where user namespaces are switched off',
    { files: { '/proc/sys/kernel/unprivileged_userns_clone': '0\n' } },
    'bad',
    /switched off/,
    /sysctl -w kernel\.unprivileged_userns_clone=1/,
  ],
  [
    'userns-sysctls',
    'with few user namespaces',
    { files: { '/proc/sys/user/max_user_namespaces': '9\n' } },
    'warn',
    /a few containers use up all/,
    /sysctl -w user\.max_user_namespaces=15000/,
  ],
  [
    'nesting',
    'where namespaces are nested as deep as can be',
    refuse('nested', { step: 'clone', errno: 'ENOSPC', target: 'nested' }),
    'warn',
    /below a user namespace there can be no other: ENOSPC/,
  ],
  ['mapping', 'where ids cannot be mapped', refuse('userns', { step: 'map-ids', errno: 'EPERM' }), 'bad', /cannot be mapped: EPERM/],
  [
    'userns',
    'where AppArmor is absent and the kernel refuses',
    refuse('userns', { step: 'clone', errno: 'EPERM' }),
    'bad',
    /no user namespace can be made: EPERM/,
  ],
  [
    'apparmor',
    'where namespaces have no capabilities',
    { ...refuse('tmpfs', { errno: 'EACCES' }), files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1\n' } },
    'bad',
    /without capabilities/,
    /apparmor_parser -r/,
  ],
  ['proc', 'where parts of /proc are covered', refuse('proc', { step: 'mount', errno: 'EPERM' }), 'warn', /see the .proc that is here/],
  [
    'hidepid',
    'with hidepid',
    { files: { '/proc/self/mountinfo': '2 1 0:5 / /proc rw - proc proc rw,hidepid=invisible' } },
    'warn',
    /hidepid=invisible/,
    /remount,hidepid=0/,
  ],
  ['store', "where the store is somebody else's", { write: () => 'EACCES' }, 'bad', /no file can be made in "\/store": EACCES/],
  ['store', 'where the quota is used up', { write: () => 'EDQUOT' }, 'bad', /EDQUOT/],
  ['overlay', 'where nothing can be made', { write: () => 'EROFS' }, 'off', /not tried/],
  ['store', 'on noexec', { files: { '/proc/self/mountinfo': '1 0 8:1 / / rw,noexec - ext4 x rw' } }, 'bad', /noexec/],
  ['store', 'on nosuid', { files: { '/proc/self/mountinfo': '1 0 8:1 / / rw,nosuid - ext4 x rw' } }, 'warn', /nosuid/],
  ['store', 'on a read-only disk', { files: { '/proc/self/mountinfo': '1 0 8:1 / / ro - ext4 x ro' } }, 'bad', /read-only/],
  [
    'overlay',
    'on NFS',
    {
      ...refuse('overlay', { step: 'overlay', errno: 'EINVAL' }),
      disk: () => ({ free: 9e10, size: 9e11, freeFiles: 0, files: 0, kind: 0x6969 }),
    },
    'warn',
    /\(NFS\): EINVAL/,
  ],
  [
    'fuse',
    'with neither overlay nor fuse-overlayfs',
    { ...refuse('overlay', { errno: 'EINVAL' }), find: () => undefined },
    'warn',
    /full copy/,
    /install -y fuse-overlayfs/,
  ],
  [
    'fuse',
    'without /dev/fuse',
    { ...refuse('overlay', { errno: 'EINVAL' }), ...closed('/dev/fuse', 'EACCES') },
    'warn',
    /EACCES/,
    /chmod 666 \/dev\/fuse/,
  ],
  ['disk', 'on a full disk', { disk: () => ({ free: 1e6, size: 1e9, freeFiles: 1e6, files: 2e6, kind: 0xef53 }) }, 'bad', /0\.0 GiB free/],
  [
    'disk',
    'without inodes',
    { disk: () => ({ free: 9e10, size: 9e11, freeFiles: 12, files: 2e6, kind: 0xef53 }) },
    'bad',
    /only 12 more files/,
  ],
  ['tun', 'without /dev/net/tun', closed('/dev/net/tun', 'ENOENT'), 'bad', /is missing/, /modprobe tun/],
  ['tun', 'where /dev/net/tun is closed', closed('/dev/net/tun', 'EACCES'), 'bad', /EACCES/, /chmod 666/],
  [
    'pasta',
    'without pasta',
    { find: (name) => (name === 'pasta' ? undefined : `/usr/bin/${name}`) },
    'warn',
    /not installed/,
    /install -y passt/,
  ],
  [
    'pasta',
    'where pasta fails',
    { run: () => ({ status: 1, stdout: '', stderr: 'Failed to set up tap\n' }) },
    'bad',
    /Failed to set up tap/,
  ],
  [
    'bridges',
    'without the modules',
    { run: () => ({ status: 2, stdout: '', stderr: 'Error: Unknown device type.\n' }) },
    'warn',
    /Unknown device type/,
    /modprobe -a bridge veth/,
  ],
  [
    'bridges',
    'where nothing may be made',
    { run: () => ({ status: 2, stdout: '', stderr: 'Operation not permitted\n' }) },
    'warn',
    /not permitted/,
  ],
  ['slirp4netns', 'with neither', { find: () => undefined }, 'warn', /not installed either/, /slirp4netns/],
  ['slirp4netns', 'beside a pasta, where it fails', { slirp: async () => 'it ended without a word' }, 'warn', /does not work: it ended/],
  [
    'slirp4netns',
    'where it fails and there is no pasta',
    { slirp: async () => 'open: EPERM', find: (name) => (name === 'pasta' ? undefined : `/usr/bin/${name}`) },
    'bad',
    /does not work: open: EPERM/,
  ],
  [
    'ping',
    'outside the range of groups',
    { files: { '/proc/sys/net/ipv4/ping_group_range': '1\t0\n' }, ...refuse('ping', { errno: 'EACCES' }) },
    'warn',
    /does not reach the world/,
    /ping_group_range/,
  ],
  ['dns', 'without a resolver', { files: { '/etc/resolv.conf': '# empty\n' } }, 'warn', /no resolver/],
  ['proxy', 'with a proxy that is none', { paths: { registry: { httpProxy: 'proxy:3128' } } as Paths }, 'bad', /no http:\/\/ address/],
  ['ping', 'where something else forbids it', refuse('ping', { errno: 'EPERM' }), 'warn', /does not reach the world: EPERM/],
  ['dns', 'with one that is silent', { ask: async () => 'ETIMEOUT' }, 'warn', /192\.0\.2\.53 does not answer \(ETIMEOUT\)/],
  [
    'proxy',
    'where nobody listens',
    { paths: { registry: { httpsProxy: 'http://ana:secret@[::1]:9' } } as Paths, dial: async () => 'ECONNREFUSED' },
    'bad',
    /"http:\/\/\*\*\*@\[::1\]:9" does not answer: ECONNREFUSED/,
  ],
  ['proxy', 'with two different proxies', { env: { HTTP_PROXY: 'http://a:1', http_proxy: 'http://b:1' } }, 'warn', /differ/],
  [
    'cgroup2',
    'with a hybrid tree',
    { files: { '/proc/self/mountinfo': '3 1 0:6 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw' } },
    'warn',
    /hybrid/,
  ],
  [
    'delegation',
    'where only memory and pids are given',
    { files: { '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers': 'memory pids\n' } },
    'warn',
    /cpu, cpuset, io are not delegated/,
    /Delegate=cpu cpuset io memory pids/,
  ],
  [
    'delegation',
    'where there is no user manager',
    { files: { '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers': '' } },
    'warn',
    /no group of the tree is yours/,
    /enable-linger ana/,
  ],
  ['runtime-dir', 'with a runtime folder that is gone', { env: { XDG_RUNTIME_DIR: '/run/user/7' } }, 'warn', /does not exist/],
  [
    'runtime-dir',
    "with somebody else's runtime folder",
    { env: { XDG_RUNTIME_DIR: '/run/systemd/system', SUDO_USER: 'bo' } },
    'warn',
    /not a folder of yours/,
  ],
  ['bus', 'without a user session', { connect: async () => 'ENOENT', env: { SUDO_USER: 'bo' } }, 'warn', /is missing/, /enable-linger/],
  ['ports', 'where low ports are closed', {}, 'ok', /from 1024 on/, /ip_unprivileged_port_start=80/],
  ['nesting', 'in a container', { files: { '/run/systemd/container': 'lxc\n' } }, 'ok', /inside lxc/],
  ['nsresourced', 'without the service', {}, 'off', /does not answer/],
  ['nsresourced', 'with ids of its own', { varlink: service({}) }, 'off', /systemd 257\.1 answers; not needed/],
  ['nsresourced', 'with a service that is another', { varlink: service({ interfaces: ['io.systemd'] }) }, 'off', /lends no ids/],
  ['nsresourced', 'with one that refuses', { varlink: async () => ({ error: 'io.systemd.Busy' }) }, 'off', /refuses: io\.systemd\.Busy/],
  [
    'nsresourced',
    'where the kernel lets nobody watch such ids',
    { varlink: service({}), mapping: one, files: { '/sys/kernel/security/lsm': 'landlock,yama\n' } },
    'off',
    /can lend none: .*"bpf".*landlock,yama/,
  ],
  [
    'nsresourced',
    'where it is all there is',
    { varlink: service({}), mapping: one, files: { '/sys/kernel/security/lsm': 'landlock,bpf\n' } },
    'ok',
    /would lend 65536; not used/,
  ],
  ['linger', 'without linger', { gone: ['/var/lib/systemd/linger/ana'] }, 'warn', /end when you log out/, /enable-linger ana/],
  ['inotify', 'with few watches', { files: { '/proc/sys/fs/inotify/max_user_watches': '8192\n' } }, 'warn', /8192 watches/, /sysctl/],
  ['inotify', 'with all watches used', { watch: () => 'ENOSPC' }, 'warn', /all of your 65536 watches are used/, /sysctl/],
  ['keyring', 'where a key is refused', refuse('keyring', { errno: 'EDQUOT' }), 'warn', /a new one was refused/, /maxkeys/],
  [
    'keyring',
    'with its keys used up',
    { files: { '/proc/key-users': ' 1000:   199 199/199 199/200 40/20000\n' } },
    'warn',
    /199 of 200/,
    /maxkeys/,
  ],
  [
    'files',
    'with few open files',
    { files: { '/proc/self/limits': 'Max open files            256                  512                  files\n' } },
    'warn',
    /up to 512/,
    /nofile/,
  ],
  [
    'processes',
    'with few processes',
    { files: { '/proc/self/limits': 'Max processes             256                  300                  processes\n' } },
    'warn',
    /up to 300/,
    /nproc/,
  ],
];

for (const [id, what, broken, status, says, fix] of cases) {
  test(`${what}, "${id}" finds it`, async () => {
    const found = await finding(id, broken);
    assert.is(found.status, status, JSON.stringify(found));
    assert.match(found.message, says);
    if (fix) assert.match((found.fix ?? []).join('\n'), fix);
    assert.ok(
      status === 'ok' || status === 'off' || found.fix || found.advice || found.why || /differ|resolver/.test(found.message),
      'says neither why nor what to do',
    );
  });
}

test('each check that can find something is broken by a test', () => {
  const tested = new Set(cases.map(([id]) => id));
  assert.equal(
    checks.map(({ id }) => id).filter((id) => !tested.has(id)),
    [],
  );
});

test('each check is broken on a real machine too', () => {
  const files = ['live/doctor', 'live/doctor-session', 'vm/doctor', 'vm/doctor-broken', 'vm/delegation'];
  const text = files.map((name) => readFileSync(join(checkout, `test/${name}.test.ts`), 'utf8')).join('\n');
  assert.equal(
    checks.map(({ id }) => id).filter((id) => !new RegExp(`(broken|found)\\(\\s*'${id}'|\\bid: '${id}'`).test(text)),
    [],
  );
});

test('every command that is printed is one that a shell can read, alone, behind sudo and in the script', async () => {
  for (const [id, what, broken] of cases) {
    const results = await examine(
      machine(broken),
      checks.filter((check) => check.id === id),
    );
    const script = repairScript(results, true);
    const shown = report(results, true, Number.POSITIVE_INFINITY)
      .split('\n')
      .flatMap((line) => /^ {6}(?:fix:|for more:| {4}) (sudo .*)$/.exec(line)?.[1] ?? []);
    assert.is(shown.length, results.flatMap(({ fix }) => fix ?? []).length, what);
    for (const text of [script ?? '', ...shown]) {
      const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' });
      assert.is(status, 0, `${what}: ${text}${stderr}`);
    }
  }
});

test('a package comes from the package manager that is here, from one that is known where none is found', async () => {
  const only =
    (...there: readonly string[]) =>
    (name: string) =>
      there.includes(name) ? `/usr/bin/${name}` : undefined;
  const fixed = async (id: string, find: Machine['find'], rest: Broken = {}) => (await finding(id, { find, ...rest })).fix;
  assert.equal(await fixed('newuidmap', only('apt-get'), { host: cut('uid') }), ['apt-get install -y uidmap']);
  assert.equal(await fixed('newuidmap', only('dnf'), { host: cut('gid') }), ['dnf install -y shadow-utils']);
  assert.equal(await fixed('pasta', only('apk')), ['apk add passt']);
  assert.match(
    (await fixed('slirp4netns', only()))?.join() ?? '',
    /^apt-get install -y slirp4netns \|\| dnf .* \|\| pacman -S --noconfirm slirp4netns$/,
  );
});

test('on a narrow terminal words stand below each other, and commands are whole', async () => {
  const results = await examine(
    machine({ host: { ...ana, subids: none }, files: { '/etc/subuid': '' } }),
    checks.filter(({ id }) => id === 'subid' || id === 'overlay'),
  );
  const fix = '      fix: sudo usermod --add-subuids 165536-231071 --add-subgids 165536-231071 ana';
  assert.equal(report(results, false, 40).split('\n'), [
    'User and group ids',
    '  !!  subordinate ids',
    '      no range for "ana" in /etc/subuid:',
    '      containers get one user id, and',
    '      ownership is emulated',
    '      why: newuidmap maps only ranges',
    '           listed there',
    fix,
    '',
    'Storage',
    '  ok  overlay mounts, tried',
    '      the kernel stacks layers here',
    '',
    '1 could be better. A script for root',
    'that mends it: rootless doctor --fix',
    '',
  ]);
  assert.equal(report(results, false, 80).split('\n').slice(0, 6), [
    'User and group ids',
    '  !!  subordinate ids        no range for "ana" in /etc/subuid: containers get',
    '                             one user id, and ownership is emulated',
    '      why: newuidmap maps only ranges listed there',
    fix,
    '',
  ]);
});

test('the script names each finding, and gives a command once', async () => {
  const gone = {
    files: { '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers': '' },
    connect: async () => 'ENOENT',
  };
  const script = repairScript(await examine(machine(gone))) ?? '';
  assert.match(script, /^#!\/bin\/sh\n/);
  assert.is(script.split('systemctl start user@1000.service').length, 2);
  assert.not.match(script, /sudo/);
});

test('a check that fails by itself is a finding', async () => {
  const [result] = await examine(
    machine({
      disk: () => {
        throw new Error('statfs failed');
      },
    }),
    checks.filter(({ id }) => id === 'disk'),
  );
  assert.is(result?.status, 'bad');
  assert.match(result?.message ?? '', /statfs failed/);
});

test.run();
