/** Parts of the runtime-spec 1.3 that few bundles ask for, and what crun reads beside it: as a user, and as root of namespaces of one's own. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bundle, type Config, program, refused, withBundle } from '../support/bundle.ts';
import { helper, uid } from '../support/checkout.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;

const own = (config: Config): void => {
  const map = [{ containerID: 0, hostID: uid, size: 1 }];
  config['linux'].uidMappings = map;
  config['linux'].gidMappings = map;
};

/** The helper as root of a user, mount and network namespace, where a script runs before it. */
function nested({ folder }: Bundle, script: string): { code: number | null; stdout: string; stderr: string } {
  const line = `${script}; exec "$0" --root "$1" run n`;
  const args = ['-Urmn', '--propagation', 'private', 'sh', '-c', line, helper, join(folder, 'nested')];
  const { status, stdout, stderr } = spawnSync('unshare', args, {
    cwd: folder,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
  });
  return { code: status, stdout, stderr };
}

live('a filesystem of the container’s own is mapped to other ids, by the standard’s numbers and by crun’s option', needs, () =>
  withBundle(({ call, change }) => {
    // Whoever has one id only can show it as another.
    change((config) => {
      own(config);
      const map = [{ containerID: 0, hostID: uid, size: 1 }];
      config['mounts'].push(
        { destination: '/m', type: 'tmpfs', source: 'tmpfs', options: ['mode=0755', 'idmap'] },
        { destination: '/n', type: 'tmpfs', source: 'tmpfs', options: ['mode=0755'], uidMappings: map, gidMappings: map },
        { destination: '/o', type: 'tmpfs', source: 'tmpfs', options: ['mode=0755', 'idmap=uids=@5-0-1;gids=@5-0-1'] },
      );
      program('stat', '-c', '%n %u %g', '/m', '/n', '/o')(config);
    });
    const { stdout, stderr, code } = call('run', 'a');
    // Nobody can be shown who is not mapped: files of 0 in /o, where only 5 is, are nobody's.
    if (code === 0) assert.is(stdout, '/m 0 0\n/n 0 0\n/o 65534 65534\n', stderr);
    else
      assert.match(
        stderr,
        /^rootless-helper: error: mount \d+ "\/[no]": EINVAL: this filesystem has no id-mapped mounts, or its ids are these already/,
      );
    change((config) => {
      config['mounts'].splice(-3);
      config['mounts'].push({ destination: '/m', type: 'tmpfs', source: 'tmpfs', options: ['idmap=uids=0-@7-1;gids=0-0-1'] });
    });
    refused(call('run', 'a'), /^rootless-helper: error: mount \d+ "\/m": unknown option "idmap=uids=0-@7-1/);
    change((config) => {
      config['mounts'].splice(-1, 1, { destination: '/m', type: 'tmpfs', source: 'tmpfs', options: ['idmap=uids=@0-7-1;gids=@0-0-1'] });
    });
    refused(call('run', 'a'), /^rootless-helper: error: mount \d+ "\/m": the container has no id 7/);
  }),
);

live('a bind of what belongs to the host is not mapped for a user, and is for whoever mounted it', needs, () =>
  withBundle((bundle) => {
    const { call, change, folder } = bundle;
    const map = [{ containerID: 0, hostID: 0, size: 1 }];
    change((config) => {
      own(config);
      config['mounts'].push({ destination: '/m', type: 'bind', source: '/etc', options: ['bind', 'idmap'] });
      program('stat', '-c', '%n %u %g', '/m/a')(config);
    });
    if (uid !== 0)
      refused(
        call('run', 'a'),
        /^rootless-helper: error: mount \d+ "\/m": EPERM: the kernel maps ids only of filesystems that were mounted in a user/,
      );
    change((config) => {
      config['linux'].uidMappings = map;
      config['linux'].gidMappings = map;
      config['mounts'].splice(-1, 1, { destination: '/m', type: 'bind', source: '/mnt', options: ['bind', 'idmap=uids=5-0-1;gids=6-0-1'] });
    });
    // A tmpfs of the runtime's own namespace; what 0 has there is shown as nobody's, because only 5 and 6 are mapped.
    const { code, stdout, stderr } = nested(bundle, 'mount -t tmpfs t /mnt && echo x > /mnt/a');
    assert.is(code, 0, stderr);
    assert.is(stdout, '/m/a 65534 65534\n');
    assert.not.ok(existsSync(join(folder, 'nested/n')));
  }),
);

live('network devices are the container’s, with their addresses and up; a name that is taken or a device of others is refused', needs, () =>
  withBundle((bundle) => {
    const { call, change } = bundle;
    if (!existsSync('/sbin/ip') && !existsSync('/usr/sbin/ip') && !existsSync('/bin/ip')) return console.log('there is no ip here');
    change((config) => {
      config['linux'].netDevices = { lo: { name: 'x0' } };
      program('ip', '-o', 'addr')(config);
    });
    refused(
      call('run', 'a'),
      uid === 0
        ? /^rootless-helper: error: network "lo": E/
        : /^rootless-helper: error: network "lo": EPERM: a network device is its network's root's/,
    );
    change((config) => {
      config['linux'].netDevices = { none0: {} };
    });
    refused(call('run', 'a'), /^rootless-helper: error: network "none0": ENODEV/);
    change((config) => {
      const map = [{ containerID: 0, hostID: 0, size: 1 }];
      config['linux'].uidMappings = map;
      config['linux'].gidMappings = map;
      config['linux'].netDevices = { d0: { name: 'x0' } };
    });
    const made = nested(
      bundle,
      'ip link add d0 type veth peer name p0 && ip addr add 10.9.8.7/24 dev d0 && ip -6 addr add fd00::7/64 dev d0 nodad && ip link set p0 up',
    );
    assert.is(made.code, 0, made.stderr);
    assert.match(made.stdout, /x0 +inet 10\.9\.8\.7\/24/);
    assert.match(made.stdout, /x0 +inet6 fd00::7\/64/);
    change((config) => {
      config['linux'].netDevices = { d0: { name: 'net%d' } };
      program('ip', 'link', 'show', 'net0')(config);
    });
    const named = nested(bundle, 'ip link add d0 type veth peer name p0');
    assert.match(named.stdout, /net0.*[<,]UP[,>]/, named.stderr);
    change((config) => {
      config['linux'].netDevices = { d0: { name: 'lo' } };
    });
    const taken = nested(bundle, 'ip link add d0 type veth peer name p0');
    assert.match(taken.stderr, /network "d0": EEXIST: the container has a network device "lo" already/);
    change((config) => {
      config['linux'].namespaces = config['linux'].namespaces.filter(({ type }: { type: string }) => type !== 'network');
    });
    refused(call('run', 'a'), /config "\$\.linux\.netDevices": devices are moved into a namespace of type "network"/);
  }),
);

live('hooks write where crun’s annotations say, also those in the container', needs, () =>
  withBundle(({ call, change, folder }) => {
    const hook = (word: string) => ({ path: '/bin/sh', args: ['sh', '-c', `echo ${word}; echo ${word} >&2`] });
    writeFileSync(join(folder, 'hooks.out'), 'before\n');
    change((config) => {
      config['annotations'] = {
        'run.oci.hooks.stdout': join(folder, 'hooks.out'),
        'run.oci.hooks.stderr': join(folder, 'hooks.err'),
      };
      const points = ['createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'];
      config['hooks'] = Object.fromEntries(points.map((point) => [point, [hook(point)]]));
      program('true')(config);
    });
    const { code, stderr } = call('run', 'a');
    assert.is(code, 0, stderr);
    const all = 'createRuntime\ncreateContainer\nstartContainer\npoststart\npoststop\n';
    assert.is(readFileSync(join(folder, 'hooks.out'), 'utf8'), `before\n${all}`);
    assert.is(readFileSync(join(folder, 'hooks.err'), 'utf8'), all);
    change((config) => {
      config['annotations']['run.oci.hooks.stdout'] = 'relative';
    });
    refused(call('run', 'a'), /config "\$\.annotations\.run\.oci\.hooks\.stdout": the path is not absolute/);
  }),
);

live('a compiled filter takes the place of the profile, and handlers that do not exist are refused', needs, () =>
  withBundle(({ call, change }) => {
    const mkdir = { x64: 83, arm64: 34 }[process.arch as 'x64' | 'arm64'];
    if (mkdir === undefined) return console.log('no numbers for this machine');
    const filter = Buffer.alloc(32);
    // Load the call's number; is it mkdir: EPERM, else allow.
    for (const [at, [op, jt, jf, k]] of [
      [0x20, 0, 0, 0],
      [0x15, 0, 1, mkdir],
      [0x06, 0, 0, 0x50001],
      [0x06, 0, 0, 0x7fff0000],
    ].entries() as Iterable<[number, [number, number, number, number]]>) {
      filter.writeUInt16LE(op, at * 8);
      filter.writeUInt8(jt, at * 8 + 2);
      filter.writeUInt8(jf, at * 8 + 3);
      filter.writeUInt32LE(k, at * 8 + 4);
    }
    change((config) => {
      config['annotations'] = { 'run.oci.seccomp_bpf_data': filter.toString('base64') };
      config['linux'].seccomp = { defaultAction: 'SCMP_ACT_KILL_PROCESS' };
      program('sh', '-c', 'mkdir /x || echo refused; grep Seccomp: /proc/self/status')(config);
    });
    const { code, stdout, stderr } = call('run', 'a');
    assert.is(code, 0, stderr);
    assert.match(stdout, /^refused\nSeccomp:\t2$/m);
    for (const [name, value, says] of [
      ['seccomp_bpf_data', 'AAAA', /1 to 4096 instructions/],
      ['handler', 'krun', /no other handler/],
      ['seccomp.plugins', 'lib.so', /not loaded/],
      ['systemd.force_cgroup_v1', '/sys/fs/cgroup/systemd', /cgroup v1/],
    ] as const) {
      change((config) => {
        config['annotations'] = { [`run.oci.${name}`]: value };
      });
      refused(call('run', 'a'), says);
    }
  }),
);

const agent = `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
print('ready', flush=True)
data, fds, _, _ = socket.recv_fds(s.accept()[0], 65536, 4)
print(len(fds), data.decode(), flush=True)`;

live('the receiver of crun’s annotation is the agent of a profile that names none', ['userns', 'busybox', 'python'], () =>
  withBundle(async ({ call, change, folder }) => {
    const socket = join(folder, 'agent');
    change((config) => {
      config['annotations'] = { 'run.oci.seccomp.receiver': socket };
      config['linux'].seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['swapon'], action: 'SCMP_ACT_NOTIFY' }] };
      program('true')(config);
    });
    refused(call('run', 'a'), /^rootless-helper: error: seccomp ".*\/agent": ENOENT: failed to connect with seccomp agent/);
    const other = spawn('python3', ['-c', agent, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    other.stdout.on('data', (data: Buffer) => (said += data.toString()));
    const closed = new Promise((done) => other.once('close', done));
    await eventually(() => assert.match(said, /^ready\n/));
    const { code, stderr } = call('run', 'a');
    assert.is(code, 0, stderr);
    await closed;
    const [, count, document = ''] = /^ready\n(\d+) (.*)\n$/.exec(said) ?? [];
    assert.is(count, '1', said);
    const { fds, state } = JSON.parse(document) as { fds: string[]; state: { id: string } };
    assert.equal([fds, state.id], [['seccompFd'], 'a']);
  }),
);

live('a receiver of the pidfd that does not answer is named, and nothing is left', needs, () =>
  withBundle(async ({ call, change, folder }) => {
    const socket = join(folder, 'receiver');
    change((config) => {
      config['annotations'] = { 'run.oci.pidfd_receiver': socket };
      program('true')(config);
    });
    refused(call('create', 'a'), /^rootless-helper: error: console ".*\/receiver": ENOENT/);
    let said = '';
    const server = createServer((peer) => peer.on('data', (data) => (said += data))).listen(socket);
    await new Promise((done) => server.once('listening', done));
    assert.is(call('create', 'a').code, 0);
    await eventually(() => assert.is(said, 'pidfd'));
    server.close();
    assert.is(call('delete', '--force', 'a').code, 0);
  }),
);

live('a console socket that takes nobody is given up, and the container with it', ['userns', 'busybox', 'python'], () =>
  withBundle(async ({ call, change, folder }) => {
    const socket = join(folder, 'console');
    const full = `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
c = []
try:
    while True:
        n = socket.socket(socket.AF_UNIX); n.setblocking(False); n.connect(sys.argv[1]); c.append(n)
except BlockingIOError: pass
print('full', flush=True); sys.stdin.read()`;
    const other = spawn('python3', ['-c', full, socket], { stdio: ['pipe', 'pipe', 'inherit'] });
    const closed = new Promise((done) => other.once('close', done));
    await new Promise((done) => other.stdout.once('data', done));
    change((config) => {
      config['process'].terminal = true;
    });
    const before = Date.now();
    refused(call('create', '--console-socket', socket, 'a'), /^rootless-helper: error: console ".*\/console": EAGAIN/);
    assert.ok(Date.now() - before >= 9_000);
    other.stdin.end();
    await closed;
    refused(call('create', '--console-socket', folder, 'a'), /^rootless-helper: error: console ".*": ECONNREFUSED/);
  }),
);

live('a device that is there already has to be the one that is asked for', needs, () =>
  withBundle(({ call, change, folder }) => {
    writeFileSync(join(folder, 'rootfs/pipe'), 'no pipe');
    change((config) => {
      config['linux'].devices = [{ path: '/pipe', type: 'p', fileMode: 0o600 }];
      program('true')(config);
    });
    refused(call('run', 'a'), /^rootless-helper: error: device 0 "\/pipe": EEXIST/);
    change((config) => {
      config['linux'].devices[0].path = '/made/pipe';
      program('stat', '-c', '%F %a', '/made/pipe')(config);
    });
    assert.is(call('run', 'a').stdout, 'fifo 600\n');
    assert.is(call('run', 'a').stdout, 'fifo 600\n');
    assert.ok(statSync(join(folder, 'rootfs/made/pipe')).isFIFO());
  }),
);

live('`features` names what this runtime knows, and each word of it is taken', needs, () =>
  withBundle(({ call, change }) => {
    const features = JSON.parse(call('features').stdout) as Config;
    assert.is(features['ociVersionMax'], '1.3.0');
    assert.equal(features['linux'].mountExtensions, { idmap: { enabled: true } });
    assert.equal(features['linux'].netDevices, { enabled: true });
    assert.equal(features['linux'].intelRdt, { enabled: true, schemata: true, monitoring: true });
    assert.ok(features['potentiallyUnsafeConfigAnnotations'].includes('io.rootless.'));
    for (const version of [features['ociVersionMin'], features['ociVersionMax']]) {
      change((config) => {
        config['ociVersion'] = version;
        config['linux'].memoryPolicy = { mode: 'MPOL_LOCAL' };
        config['linux'].seccomp = {
          defaultAction: 'SCMP_ACT_ALLOW',
          architectures: features['linux'].seccomp.archs,
          syscalls: features['linux'].seccomp.operators.map((op: string) => ({
            names: ['mknod'],
            action: 'SCMP_ACT_ERRNO',
            args: [{ index: 0, value: 1, valueTwo: 1, op }],
          })),
        };
        config['process'].capabilities = { bounding: features['linux'].capabilities };
        program('true')(config);
      });
      const { code, stderr } = call('run', 'a');
      assert.equal({ code, stderr }, { code: 0, stderr: '' });
    }
    const words: string[] = features['mountOptions'].filter(
      (word: string) => !['idmap', 'ridmap', 'remount', 'copy-symlink'].includes(word),
    );
    change((config) => {
      for (const [index, word] of words.entries())
        config['mounts'].push({ destination: `/options/${index}`, type: 'bind', source: '/etc/hostname', options: ['bind', word] });
    });
    const { code, stderr } = call('run', 'a');
    assert.is(code, 0, stderr);
  }),
);

live.run();
