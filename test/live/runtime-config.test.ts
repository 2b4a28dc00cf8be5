/** What a bundle asks for, item by item: told to hooks, shown by `state`, given by the kernel, or refused by name. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Config, program, refused, withBundle } from '../support/bundle.ts';
import { helper } from '../support/checkout.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;

const withoutNamespace =
  (kind: string) =>
  (config: Config): void => {
    config['linux'].namespaces = config['linux'].namespaces.filter(({ type }: { type: string }) => type !== kind);
  };

live('each hook gets the pid that is seen where it runs, and those of the host stand in the bundle', needs, () =>
  withBundle(({ change, folder }) => {
    const points = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'];
    const hook = (point: string, file: string) => ({
      path: '/bin/sh',
      args: ['sh', '-c', `{ echo "${point} $(pwd)"; cat; echo; } >> ${file}`],
    });
    change((config) => {
      config['hooks'] = Object.fromEntries(points.map((point) => [point, [hook(point, join(folder, 'said'))]]));
      config['hooks'].startContainer = [hook('startContainer', '/said')];
      config['annotations'] = { 'org.example.key': 'value' };
      config['process'].cwd = '/tmp';
      program('true')(config);
    });
    const args = ['--root', join(folder, 'state'), 'run', '--bundle', folder, 'a'];
    const { status, stderr } = spawnSync(helper, args, { cwd: '/', encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    assert.is(status, 0, stderr);
    const lines = ['said', 'rootfs/said'].flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'));
    const said = new Map<string, { where: string; state: Config }>();
    for (let at = 0; at < lines.length; at += 2) {
      const [point = '', where = ''] = (lines[at] ?? '').split(' ');
      said.set(point, { where, state: JSON.parse(lines[at + 1] ?? '') as Config });
    }
    assert.equal([...said.keys()], [...points, 'startContainer'], 'in their order');
    for (const [point, { where, state }] of said) {
      assert.is(where, point === 'startContainer' ? '/tmp' : folder, point);
      assert.is(state['bundle'], folder, point);
      assert.equal(state['annotations'], { 'org.example.key': 'value' }, point);
    }
    const all = (key: string) => [...said.values()].map(({ state }) => state[key]);
    assert.equal(all('status'), ['creating', 'creating', 'creating', 'running', 'stopped', 'created']);
    const [prestart, createRuntime, createContainer, poststart, poststop, startContainer] = all('pid');
    assert.ok(Number(prestart) > 1);
    assert.equal([createRuntime, poststart], [prestart, prestart]);
    assert.equal([createContainer, startContainer], [1, 1]);
    assert.is(poststop, undefined);
  }),
);

live('state says what runc’s says, in its order', needs, () =>
  withBundle(({ call, change, folder }) => {
    change(program('sleep', '60'));
    assert.is(call('create', 'a').code, 0);
    const state = JSON.parse(call('state', 'a').stdout) as Config;
    assert.equal(Object.keys(state), ['ociVersion', 'id', 'pid', 'status', 'bundle', 'rootfs', 'created', 'owner']);
    assert.equal([state['bundle'], state['rootfs']], [folder, join(folder, 'rootfs')]);
    assert.ok(!Number.isNaN(Date.parse(state['created'])));
    assert.equal(JSON.parse(call('list', '--format', 'json').stdout), [state]);
    assert.is(call('delete', '--force', 'a').code, 0);
  }),
);

live('a filter that refuses everything, the end of a process too, ends the launch', needs, () =>
  withBundle(({ call, change }) => {
    change((config) => {
      config['linux'].seccomp = { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 38, architectures: ['SCMP_ARCH_X86_64'] };
      program('true')(config);
    });
    const { code } = call('run', 'a');
    assert.ok(code !== null && code !== 0, `ended with ${code}`);
  }),
);

live('remount changes a filesystem and its mount, and nothing that is none', needs, () =>
  withBundle(({ call, change }) => {
    change((config) => {
      config['mounts'].push({ destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['remount', 'size=8k', 'ro'] });
      program('grep', ' /dev/shm ', '/proc/self/mountinfo')(config);
    });
    const { stdout, stderr } = call('run', 'a');
    assert.match(stdout, /size=8k/, stderr);
    assert.match(stdout, / \/dev\/shm ro,/);
    change((config) => {
      config['mounts'].splice(-1, 1, { destination: '/tmp', type: 'none', source: 'none', options: ['remount', 'ro'] });
    });
    refused(call('run', 'a'), /^rootless-helper: error: mount \d+ "\/tmp": EINVAL/);
  }),
);

live('what a bind does not know and capabilities that nobody can give are told, and no failure', needs, () =>
  withBundle(({ call, change, folder }) => {
    change((config) => {
      config['mounts'].push({ destination: '/mnt', type: 'none', source: folder, options: ['bind', 'ro', 'tea=green'] });
      config['process'].capabilities = {
        bounding: ['CAP_KILL'],
        permitted: ['CAP_KILL'],
        effective: ['CAP_KILL', 'CAP_CHOWN'],
        inheritable: ['CAP_SETUID'],
      };
      program('grep', 'Cap', '/proc/self/status')(config);
    });
    const { stdout, stderr, code } = call('run', 'a');
    assert.is(code, 0, stderr);
    assert.match(stderr, /warning: mount \d+ "\/mnt": a bind has no option tea=green/);
    assert.match(stderr, /ignoring unknown or unavailable capabilities: \[CAP_CHOWN CAP_SETUID\]/);
    assert.match(stdout, /CapInh:\t0+\n.*CapPrm:\t0+20\n.*CapEff:\t0+20\n/);
  }),
);

live('names and sysctls of a namespace that is not the container’s own are refused, before anything is made', needs, () =>
  withBundle(({ call, change, folder }) => {
    change(withoutNamespace('uts'));
    refused(call('run', 'a'), /config "\$\.hostname": without a private uts namespace it would be the host's/);
    change((config) => {
      delete config['hostname'];
      withoutNamespace('network')(config);
      config['linux'].namespaces.push({ type: 'network', path: '/proc/self/ns/net' });
      config['linux'].sysctl = { 'net.ipv4.ip_forward': '1' };
    });
    refused(call('run', 'a'), /config "\$\.linux\.sysctl\.net\.ipv4\.ip_forward": without a private network namespace/);
    assert.not.ok(existsSync(join(folder, 'state/a')));
  }),
);

live('a wall of Landlock that is written wrong is no wall, and no container', needs, () =>
  withBundle(({ call, change }) => {
    for (const value of [
      '',
      '[]',
      '[["/tmp"]]',
      'null',
      '{"read":[]}',
      '{"write":"/tmp"}',
      '{"write":["tmp"]}',
      '{"write":["/a\\u0000"]}',
    ]) {
      change((config) => {
        config['annotations'] = { 'io.rootless.landlock': value };
      });
      refused(call('run', 'a'), /^rootless-helper: error: config "\$\.annotations\.io\.rootless\.landlock": /);
    }
  }),
);
live.run();
