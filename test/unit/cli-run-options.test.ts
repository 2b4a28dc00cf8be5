/** From a command line of `run` to ContainerOptions: what was typed arrives, what was not keeps its default. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkCidfile, writeCidfile } from '../../src/cli/cidfile.ts';
import { parseFlags } from '../../src/cli/flags.ts';
import { runFlags } from '../../src/cli/run-flags.ts';
import { toOptions } from '../../src/cli/run-options.ts';
import { type ContainerOptions, defaults } from '../../src/runtime/options.ts';
import { withTmp } from '../support/tmp.ts';

function options(argv: readonly string[], env: NodeJS.ProcessEnv = {}): ContainerOptions {
  const { values, args, given } = parseFlags('run', runFlags, argv, true);
  return toOptions({ flags: values, args, argv: [], given, debug: false, env, front: undefined });
}

test('only an image: everything is as by default', () => {
  const { image, ...rest } = options(['alpine']);
  assert.is(image, 'alpine');
  for (const [key, value] of Object.entries(defaults)) {
    if (key !== 'limits') assert.equal(rest[key as keyof typeof rest], value, key);
  }
  for (const limit of Object.values(rest.limits)) assert.is(limit, undefined);
});

test('everything after the image belongs to the container', () => {
  const { image, command, tty } = options(['--rm', 'alpine', 'sh', '-t', '--rm', '--', '-c']);
  assert.is(image, 'alpine');
  assert.equal(command, ['sh', '-t', '--rm', '--', '-c']);
  assert.is(tty, false);
});

const rows: readonly (readonly [readonly string[], Partial<ContainerOptions>])[] = [
  [['-it', '--rm'], { interactive: true, tty: true, remove: true }],
  [['--name', 'web', '-h', 'box', '-w', '/srv', '-u', '1000:100'], { name: 'web', hostname: 'box', workdir: '/srv', user: '1000:100' }],
  [['--entrypoint', ''], { entrypoint: [] }],
  [['--entrypoint', '/bin/sh -x'], { entrypoint: ['/bin/sh -x'] }],
  [['-e', 'A=1', '-e', 'B', '-e', 'NONE'], { env: ['A=1', 'B=two'] }],
  [['--init', '--read-only', '--privileged'], { init: true, readOnly: true, privileged: true }],
  [['--network=none'], { network: 'none' }],
  [['--net', 'host'], { network: 'host' }],
  [
    ['-p80', '-p', '8000-8001:90-91/udp'],
    {
      ports: [
        { hostPort: 0, containerPort: 80, protocol: 'tcp' },
        { hostPort: 8000, containerPort: 90, protocol: 'udp' },
        { hostPort: 8001, containerPort: 91, protocol: 'udp' },
      ],
    },
  ],
  [['--cap-add', 'net_admin', '--cap-drop', 'all'], { capAdd: ['CAP_NET_ADMIN'], capDrop: ['ALL'] }],
  [
    ['--security-opt', 'no-new-privileges=false', '--security-opt', 'seccomp=unconfined'],
    { noNewPrivileges: false, seccomp: { kind: 'unconfined' } },
  ],
  [['--security-opt', 'systempaths=unconfined'], { masks: { mask: [], unmask: 'ALL' } }],
  [
    ['--security-opt', 'unmask=/proc/acpi:/sys/firmware/', '--security-opt', 'unmask=/proc/*'],
    { masks: { mask: [], unmask: ['/proc/acpi', '/sys/firmware', '/proc/*'] } },
  ],
  [['--security-opt', 'unmask=all', '--security-opt', 'mask=/proc/uptime'], { masks: { mask: ['/proc/uptime'], unmask: 'ALL' } }],
  [['--security-opt', 'landlock'], { landlock: {} }],
  [
    ['--security-opt', 'landlock=/data/:/tmp', '--security-opt', 'landlock', '--security-opt', 'landlock=/x'],
    { landlock: { write: ['/data', '/tmp', '/x'] } },
  ],
  [['--security-opt', 'no-new-privileges'], { noNewPrivileges: true, seccomp: { kind: 'default' } }],
  [
    ['-m', '64m', '--memory-swap', '128m', '--cpus', '1.5', '--pids-limit', '20'],
    { limits: { memory: 64 << 20, memorySwap: 128 << 20, cpus: 1.5, pids: 20 } },
  ],
  [['-m', '64m', '--memory-swap', '-1'], { limits: { memory: 64 << 20, memorySwap: -1 } }],
  [['-m', '0', '--cpus', '0', '--pids-limit', '-1'], { limits: {} }],
  [['--shm-size', '1g', '--ulimit', 'nofile=1:2'], { shmSize: 1 << 30, ulimits: [{ name: 'nofile', soft: 1, hard: 2 }] }],
  [
    ['--sysctl', 'net.core.somaxconn=9', '-l', 'a=b', '--label', 'c'],
    { sysctls: { 'net.core.somaxconn': '9' }, labels: { a: 'b', c: '' } },
  ],
  [['--userns', 'keep-id:uid=7'], { userns: { kind: 'keep-id', uid: 7 } }],
  [['--stop-signal', 'int', '--group-add', '44', '--group-add', 'video'], { stopSignal: 'SIGINT', groupAdd: ['44', 'video'] }],
  [['--add-host', 'db:10.0.0.1'], { addHosts: [{ name: 'db', address: '10.0.0.1' }] }],
  [['--dns', '9.9.9.9', '--dns', '::1', '--dns-search', '.'], { dns: { servers: ['9.9.9.9', '::1'], search: ['.'], options: [] } }],
  [['--dns', 'none'], { dns: { servers: ['none'], search: [], options: [] } }],
  [['--dns-opt', 'rotate', '--dns-option', 'ndots:2'], { dns: { servers: [], search: [], options: ['ndots:2', 'rotate'] } }],
  [['--no-hosts', '--domainname', 'lan', '--disable-content-trust'], { noHosts: true, domainname: 'lan', dns: undefined }],
  [['--device', '/dev/fuse'], { devices: [{ source: '/dev/fuse', target: '/dev/fuse', permissions: 'rwm' }] }],
];

for (const [argv, expected] of rows) {
  test(`run ${argv.join(' ')}`, () => {
    const all = options([...argv, 'alpine'], { B: 'two' });
    for (const [key, value] of Object.entries(expected)) assert.equal(all[key as keyof ContainerOptions], value, key);
  });
}

test('-v, --mount and --tmpfs arrive together', () => {
  const { mounts } = options(['--tmpfs', '/t', '-v', '/a:/b:ro', '--mount', 'type=volume,dst=/v', 'alpine']);
  assert.equal(
    mounts.map(({ kind, target }) => `${kind} ${target}`),
    ['bind /b', 'volume /v', 'tmpfs /t'],
  );
});

test('files: env first, the line wins; labels likewise; a profile is handed over as text', () =>
  withTmp((folder) => {
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const env = file('env', '# c\nA=file\nHOST\nGONE\n');
    const labels = file('labels', 'a=file\nb=file\n');
    const profile = file('p.json', '{"defaultAction":"SCMP_ACT_ALLOW"}');
    const argv = ['-e', 'A=line', '--env-file', env, '-l', 'a=line', '--label-file', labels, '--security-opt', `seccomp=${profile}`, 'x'];
    const all = options(argv, { HOST: 'h' });
    assert.equal(all.env, ['A=file', 'HOST=h', 'A=line']);
    assert.equal(all.labels, { a: 'line', b: 'file' });
    assert.equal(all.seccomp, { kind: 'profile', json: '{"defaultAction":"SCMP_ACT_ALLOW"}' });
  }));

test('files that cannot be used are refused by name', () =>
  withTmp((folder) => {
    const broken = join(folder, 'broken');
    writeFileSync(broken, 'A B=1\n');
    mkdirSync(join(folder, 'dir'));
    for (const [argv, code, words] of [
      [['--env-file', join(folder, 'none')], 'FLAG_FILE_UNREADABLE', /none" of --env-file: no such file/],
      [['--env-file', join(folder, 'dir')], 'FLAG_FILE_UNREADABLE', /it is a folder/],
      [['--env-file', broken], 'FLAG_FILE_INVALID', /'A B' contains whitespaces/],
      [['--label-file', broken], 'FLAG_FILE_INVALID', /invalid label file/],
      [['--security-opt', `seccomp=${broken}`], 'SECCOMP_PROFILE_INVALID', /not JSON/],
    ] as const) {
      assert.throws(
        () => options([...argv, 'x']),
        (error: { code: string; message: string; exit: number }) => error.code === code && words.test(error.message) && error.exit === 125,
        argv.join(' '),
      );
    }
  }));

for (const argv of [
  ['--memory-swap', '1g'],
  ['-m', '1g', '--memory-swap', '1m'],
  ['-v', '/a:/x', '--tmpfs', '/x/'],
  ['-v', '/a:/x', '-v', '/b:/x'],
]) {
  test(`${argv.join(' ')} contradicts itself`, () => {
    assert.throws(
      () => options([...argv, 'x']),
      (error: { code: string }) => error.code === 'FLAGS_CONFLICT',
    );
  });
}

test('--cidfile is looked at before there is a container, in words', () =>
  withTmp((folder) => {
    const refused = (path: string) => {
      try {
        checkCidfile(path);
      } catch (error) {
        const { code, why } = error as { code?: string; why?: string };
        return `${code} ${why}`;
      }
      return '';
    };
    const file = join(folder, 'id');
    assert.is(refused(join(folder, 'nope/id')), 'CIDFILE_UNWRITABLE there is no such folder');
    assert.is(refused(file), '');
    writeCidfile(file, 'abc');
    assert.match(refused(file), /^CIDFILE_EXISTS/);
    assert.match(refused(join(file, 'x')), /^CIDFILE_UNWRITABLE what should be its folder is a file/);
    assert.throws(() => writeCidfile(file, 'abc'), /exists/);
  }));

test.run();
