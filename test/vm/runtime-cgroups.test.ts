/** The helper's verbs as engines call them, where cgroups are real: `--systemd-cgroup`, folders, update, events, kill. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { helper } from '../support/checkout.ts';
import { environment } from '../support/cli.ts';
import { busyboxRootfs } from '../support/images.ts';
import { live } from '../support/live.ts';
import { asEngine, cgroupOf, type Engine } from '../support/places.ts';
import { slowness } from '../support/slow.ts';
import { withTmp } from '../support/tmp.ts';

const MiB = 1 << 20;
const scope = 'user.slice:lab:c';
const read = (folder: string, file: string) => readFileSync(join(folder, file), 'latin1').trim();

function done(engine: Engine, args: readonly string[], input?: string): string {
  const { status, stdout, stderr } = engine.helper(args, input);
  assert.is(status, 0, `${args.join(' ')}: ${stderr}`);
  return stdout;
}

function property(unit: string, name: string): string {
  return spawnSync('systemctl', ['--user', 'show', '--value', '-p', name, unit], { encoding: 'utf8' }).stdout.trim();
}

live('a scope of systemd has the container, its limits, and systemd knows them', [], () =>
  asEngine(
    { cgroupsPath: scope, resources: { memory: { limit: 64 * MiB }, pids: { limit: 50 }, cpu: { shares: 512 } } },
    ['sleep', '600'],
    (engine) => {
      done(engine, ['create', 'c']);
      const { cgroup } = engine.saved();
      assert.is(basename(cgroup), 'lab-c.scope');
      assert.equal([read(cgroup, 'memory.max'), read(cgroup, 'pids.max'), read(cgroup, 'cpu.weight')], [String(64 * MiB), '50', '59']);
      assert.equal([property('lab-c.scope', 'MemoryMax'), property('lab-c.scope', 'Delegate')], [String(64 * MiB), 'yes']);
      done(engine, ['start', 'c']);
      assert.is(done(engine, ['exec', 'c', 'cat', '/proc/self/cgroup']), '0::/\n');
      done(engine, ['update', '--memory', '128m', 'c']);
      assert.equal([read(cgroup, 'memory.max'), property('lab-c.scope', 'MemoryMax')], [String(128 * MiB), String(128 * MiB)]);
      done(engine, ['update', '-r', '-', 'c'], '{"pids":{"limit":20},"memory":null,"unified":null}');
      assert.equal([read(cgroup, 'pids.max'), property('lab-c.scope', 'TasksMax')], ['20', '20']);
      done(engine, ['delete', '--force', 'c']);
      assert.not.ok(existsSync(cgroup));
      assert.is(property('lab-c.scope', 'LoadState'), 'not-found');
    },
  ),
);

live('the annotations that crun and runc know say how the scope is', [], () =>
  asEngine({ cgroupsPath: scope }, ['sleep', '600'], (engine) => {
    const file = join(engine.folder, 'config.json');
    const config = JSON.parse(readFileSync(file, 'utf8'));
    const annotations = { 'run.oci.systemd.subgroup': 'inner', 'org.systemd.property.TimeoutStopUSec': 'uint64 7000000' };
    spawnSync('tee', [file], { input: JSON.stringify({ ...config, annotations }) });
    done(engine, ['create', 'c']);
    assert.is(basename(engine.saved().cgroup), 'inner');
    assert.is(property('lab-c.scope', 'TimeoutStopUSec'), '7s');
  }),
);

live('pause, ps and kill --all reach every process', [], () =>
  asEngine({ cgroupsPath: scope }, ['sh', '-c', 'sleep 600 & sleep 600 & wait'], (engine) => {
    done(engine, ['create', 'c']);
    done(engine, ['start', 'c']);
    const { cgroup } = engine.saved();
    const state = () => JSON.parse(done(engine, ['state', 'c'])).status;
    const count = () => JSON.parse(done(engine, ['ps', '-f', 'json', 'c'])).length;
    for (let round = 0; count() < 3; round++) assert.ok(round < 500);
    done(engine, ['pause', 'c']);
    assert.is(state(), 'paused');
    assert.match(read(cgroup, 'cgroup.events'), /frozen 1/);
    done(engine, ['resume', 'c']);
    assert.is(state(), 'running');
    done(engine, ['kill', '--all', 'c', 'KILL']);
    for (let round = 0; state() !== 'stopped'; round++) assert.ok(round < 500);
  }),
);

live(
  'events tells what it uses, and that the kernel killed for memory',
  [],
  () =>
    asEngine(
      { cgroupsPath: scope, resources: { memory: { limit: 32 * MiB, swap: 32 * MiB } } },
      ['sh', '-c', 'tail /dev/zero; sleep 600'],
      (engine) => {
        done(engine, ['create', 'c']);
        const stats = JSON.parse(done(engine, ['events', '--stats', 'c']));
        assert.equal([stats.type, stats.id, stats.data.memory.usage.limit], ['stats', 'c', 32 * MiB]);
        const global = ['--root', join(engine.folder, 'state'), '--systemd-cgroup'];
        done(engine, ['start', 'c']);
        const killer = `while ! grep -q 'oom_kill [1-9]' ${join(engine.saved().cgroup, 'memory.events')}; do sleep 1; done`;
        spawnSync('sh', ['-c', killer], { timeout: 60_000 * slowness });
        // A second one, while somebody listens.
        // It ends when nobody reads it any more.
        const line = `"$@" events --interval 1s c | { read first; "$@" exec c tail /dev/zero >&2; grep -m1 '"type":"oom"'; }`;
        const heard = spawnSync('sh', ['-c', line, 'sh', helper, ...global], {
          encoding: 'utf8',
          timeout: 60_000 * slowness,
          env: environment,
        });
        assert.equal(JSON.parse(heard.stdout), { type: 'oom', id: 'c' }, heard.stderr);
      },
    ),
  { seconds: 120 },
);

live('it runs on every processor that its cgroup has, whatever the caller is bound to', [], () =>
  asEngine(
    { cgroupsPath: scope, resources: { cpu: { cpus: '0-1' } } },
    ['sh', '-c', 'grep Cpus_allowed_list /proc/self/status; exec sleep 600'],
    (engine) => {
      const global = ['--root', join(engine.folder, 'state'), '--systemd-cgroup'];
      const bound = (...args: string[]) => {
        const out = join(engine.folder, 'said');
        const line = 'exec taskset -c 0 "$@" > "$0" 2>&1';
        const { status } = spawnSync('sh', ['-c', line, out, helper, ...global, ...args], { cwd: engine.folder, env: environment });
        return { status, said: () => readFileSync(out, 'latin1') };
      };
      const run = bound('run', '-d', 'c');
      assert.is(run.status, 0, run.said());
      spawnSync('sh', ['-c', `until grep -q list ${join(engine.folder, 'said')}; do sleep 0.2; done`], { timeout: 60_000 * slowness });
      assert.is(run.said(), 'Cpus_allowed_list:\t0-1\n');
      const exec = ['exec', 'c', 'grep', 'Cpus_allowed_list', '/proc/self/status'];
      assert.is(bound(...exec).said(), 'Cpus_allowed_list:\t0-1\n');
      done(engine, ['update', '--cpuset-cpus', '1', 'c']);
      assert.is(bound(...exec).said(), 'Cpus_allowed_list:\t1\n');
    },
  ),
);

live('a folder below our own cgroup divides it: whoever is in the way goes to a leaf', [], () =>
  withTmp((folder) => {
    const resources = { pids: { limit: 9 } };
    mkdirSync(join(folder, 'rootfs'));
    busyboxRootfs(join(folder, 'rootfs'));
    const script = `own=$(sed s/0::// /proc/self/cgroup); sed "s,@,$own/c," template.json > config.json
      "$1" --root ${folder}/state run c; cat /proc/self/cgroup; cat /sys/fs/cgroup$own/cgroup.subtree_control`;
    const template = {
      ociVersion: '1.2.0',
      process: { args: ['cat', '/sys/fs/cgroup/pids.max'], cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } },
      root: { path: 'rootfs' },
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro'] },
      ],
      linux: {
        cgroupsPath: '@',
        resources,
        namespaces: ['user', 'mount', 'pid', 'ipc', 'uts', 'cgroup'].map((type) => ({ type })),
        uidMappings: [{ containerID: 0, hostID: process.getuid?.(), size: 1 }],
        gidMappings: [{ containerID: 0, hostID: process.getgid?.(), size: 1 }],
      },
    };
    spawnSync('tee', [join(folder, 'template.json')], { input: JSON.stringify(template) });
    const unit = ['systemd-run', '--user', '--quiet', '--pipe', '--wait', '--collect', '--property=Delegate=yes', '--same-dir'];
    const output = spawnSync(unit[0] ?? '', [...unit.slice(1), 'sh', '-c', script, 'sh', helper], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 60_000 * slowness,
    });
    const [limit, own, control] = output.stdout.trim().split('\n');
    assert.is(limit, '9', output.stderr);
    assert.match(own ?? '', /\/rootless-self$/);
    assert.match(control ?? '', /pids/);
  }),
);

live('a cgroup with processes in it is not taken, and they live on', [], () =>
  asEngine({ cgroupsPath: '@', resources: { pids: { limit: 5 } } }, ['true'], (engine) => {
    const file = join(engine.folder, 'config.json');
    const text = readFileSync(file, 'utf8');
    for (const path of [cgroupOf('self'), dirname(cgroupOf('self')), '/sys/fs/cgroup']) {
      spawnSync('tee', [file], { input: text.replace('"@"', JSON.stringify(path.slice('/sys/fs/cgroup'.length) || '/')) });
      const { status, stderr } = engine.helper(['run', 'c']);
      assert.is.not(status, 0);
      assert.match(stderr, /cannot be the container's|processes in it already/);
    }
  }),
);

live(
  'podman runs on it, with limits, by either manager',
  [],
  () =>
    withTmp((folder) => {
      busyboxRootfs(folder);
      const podman = (manager: string, flags: readonly string[], argv: readonly string[]) =>
        spawnSync(
          'podman',
          ['--runtime', helper, '--cgroup-manager', manager, 'run', '--rm', '--network', 'none', ...flags, '--rootfs', folder, ...argv],
          {
            encoding: 'utf8',
            timeout: 120_000 * slowness,
          },
        );
      const limited = podman(
        'systemd',
        ['-m', '64m', '--pids-limit', '30'],
        ['cat', '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/pids.max'],
      );
      assert.is(limited.stdout, `${64 * MiB}\n30\n`, limited.stderr);
      const plain = podman('cgroupfs', [], ['echo', 'fine']);
      assert.is(plain.stdout, 'fine\n', plain.stderr);
    }),
  { seconds: 180 },
);

live.run();
