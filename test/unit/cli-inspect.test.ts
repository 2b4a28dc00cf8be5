/** What `inspect` shows of a container: docker's names, also of one without a bundle, or with a damaged one. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseFormat, render } from '../../src/cli/format.ts';
import { inspectContainer } from '../../src/cli/inspect-container.ts';
import { parsePort } from '../../src/cli/values/port.ts';
import { placeOf } from '../../src/network/addresses.ts';
import { findPaths, type Paths } from '../../src/paths.ts';
import type { ContainerOptions } from '../../src/runtime/options.ts';
import { containerFolder, type Listed } from '../../src/runtime/state.ts';
import { containerFacts } from '../support/container-facts.ts';
import { withTmp } from '../support/tmp.ts';

const inFolder = (data: string): Paths => findPaths({ HOME: data, ROOTLESS_DATA: data, XDG_RUNTIME_DIR: data });
const made = (more: Partial<Listed> = {}, options: Partial<ContainerOptions> = {}): Listed => ({
  ...containerFacts(options),
  status: 'created',
  exit: undefined,
  life: undefined,
  ...more,
});
const life = {
  status: 'running',
  monitor: { pid: 7, startTime: '1', bootId: 'b' },
  pid: 2 ** 22 + 1,
  startTime: '2',
  started: '2026-01-31T12:00:00Z',
  restarts: 2,
  health: { status: 'healthy', failingStreak: 0, log: [{ start: 'a', end: 'b', exitCode: 0, output: 'ok' }] },
} as const;

function show(template: string, container: Listed, bundle?: unknown): Promise<string> {
  return withTmp((folder) => {
    const paths = inFolder(folder);
    mkdirSync(containerFolder(paths, container.id), { recursive: true });
    if (bundle !== undefined) {
      const text = typeof bundle === 'string' ? bundle : JSON.stringify(bundle);
      writeFileSync(join(containerFolder(paths, container.id), 'config.json'), text);
    }
    const format = parseFormat(template);
    assert.ok(format);
    return render(format, [inspectContainer(paths, container)], 'array')
      .trimEnd()
      .replaceAll(folder, '');
  });
}

for (const [template, container, text] of [
  ['{{.State.Status}} {{.State.Running}} {{.State.Pid}} {{.State.StartedAt}}', made(), 'created false 0 0001-01-01T00:00:00Z'],
  ['{{.State.Status}} {{.State.Running}} {{.State.Paused}}', made({ status: 'paused', life }), 'paused true true'],
  ['{{.State.Running}} {{.State.Restarting}}', made({ status: 'restarting', life }), 'true true'],
  ['{{.State.Dead}}', made({ status: 'dead' }), 'true'],
  ['{{.State.Health.Status}} {{(index .State.Health.Log 0).Output}} {{.RestartCount}}', made({ status: 'running', life }), 'healthy ok 2'],
  ['{{if .State.Health}}x{{else}}none{{end}}', made(), 'none'],
  [
    '{{.State.ExitCode}} {{.State.OOMKilled}} {{.State.Error}} {{.State.FinishedAt}}',
    made({ status: 'exited', life, exit: { code: 137, finished: '2026-01-31T13:00:00Z', oom: true, error: 'exec' } }),
    '137 true exec 2026-01-31T13:00:00Z',
  ],
  [
    '{{.Path}} {{.Args}} {{.Name}} {{.Image}}',
    made({ command: ['sh', '-c', 'x'], name: 'web', imageId: 'sha256:1' }),
    'sh [-c x] web sha256:1',
  ],
  ['{{json .NetworkSettings.Ports}}', made({ ports: parsePort('8080:80') }), '{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}'],
  ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', made({ ports: parsePort('127.0.0.1:8080:80') }), '8080'],
  ['{{json .NetworkSettings.Ports}}', made({}, { expose: ['53/udp'] }), '{"53/udp":null}'],
  ['{{json .HostConfig.PortBindings}}', made({}, { ports: parsePort('80') }), '{"80/tcp":[{"HostIp":"","HostPort":""}]}'],
  ['{{json .HostConfig.PortBindings}}', made({}, { ports: parsePort('90-91:80') }), '{"80/tcp":[{"HostIp":"","HostPort":"90-91"}]}'],
  ['{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}', made({ network: 'private' }), 'private'],
  [
    '{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}',
    made({}, { restart: { policy: 'on-failure', retries: 3 } }),
    'on-failure:3',
  ],
  [
    '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.MemorySwap}}',
    made({}, { limits: { memory: 1024, cpus: 1.5 } }),
    '1024 1500000000 2048',
  ],
  [
    '{{.HostConfig.CpuShares}} {{.HostConfig.CpusetCpus}} {{.HostConfig.CpusetMems}}. {{.HostConfig.MemoryReservation}}',
    made({}, { limits: { cpuShares: 512, cpusetCpus: '0-1', memoryReservation: 4096 } }),
    '512 0-1 . 4096',
  ],
  [
    '{{json .HostConfig.Ulimits}}',
    made({}, { ulimits: [{ name: 'nofile', soft: 1, hard: Number.POSITIVE_INFINITY }] }),
    '[{"Name":"nofile","Soft":1,"Hard":-1}]',
  ],
  [
    '{{json .HostConfig.Binds}}',
    made(
      {},
      {
        mounts: [
          { kind: 'bind', source: '/a', target: '/b', readOnly: true, options: [], createSource: true },
          { kind: 'volume', name: 'db', target: '/db', readOnly: false, options: ['nocopy'] },
          { kind: 'tmpfs', target: '/t', options: [] },
        ],
      },
    ),
    '["/a:/b:ro","db:/db:nocopy"]',
  ],
  [
    '{{.Config.StopSignal}} {{.Config.StopTimeout}} {{.Config.Tty}}',
    made({}, { stopSignal: 'SIGINT', stopTimeout: 3, tty: true }),
    'SIGINT 3 true',
  ],
  ['{{index .Config.Labels "a"}}<{{index .Config.Labels "b"}}>', made({ labels: { a: '1' } }), '1<>'],
  ['{{.Config.Cmd}} {{json .Config.Entrypoint}}', made({}, { command: ['x'], entrypoint: ['e'] }), '[x] ["e"]'],
  ['{{json .Config.Entrypoint}}', made(), 'null'],
  ['{{range .NetworkSettings.Networks}}<{{.MacAddress}}>{{end}}<{{.NetworkSettings.SandboxKey}}>', made(), '<><>'],
  ['{{.NetworkSettings.SandboxKey}}', made({ status: 'running', life }), `/proc/${life.pid}/ns/net`],
  ['{{json .ExecIDs}} <{{.AppArmorProfile}}> {{json .HostConfig.Links}}', made(), 'null <> null'],
  ['{{json .HostConfig.Dns}} {{json .HostConfig.DnsSearch}} {{json .HostConfig.DnsOptions}}', made(), '[] [] []'],
  [
    '{{.HostConfig.Dns}} {{.HostConfig.DnsSearch}} {{.HostConfig.DnsOptions}} {{.Config.Domainname}}',
    made({}, { dns: { servers: ['9.9.9.9'], search: ['lan'], options: ['rotate'] }, domainname: 'nis' }),
    '[9.9.9.9] [lan] [rotate] nis',
  ],
  ['{{.LogPath}}', made({ id: 'abc' }), '/store/containers/abc/log'],
  ['{{.LogPath}}', made({}, { log: { driver: 'none', maxSize: 0, maxFile: 1, whenFull: 'drop' } }), ''],
] as const) {
  test(`${template} of a ${container.status} container is ${JSON.stringify(text)}`, async () =>
    assert.is(await show(template, container), text));
}

test('the bundle says where mounts come from, and what the program gets', async () => {
  const container = made(
    {},
    {
      mounts: [
        { kind: 'volume', name: 'db', target: '/db/', readOnly: false, options: [] },
        { kind: 'bind', source: '/a', target: '/b', readOnly: true, options: [], createSource: true },
        { kind: 'bind', source: '/c', target: '/d', readOnly: false, options: [], createSource: true },
      ],
    },
  );
  const bundle = {
    hostname: 'h',
    process: { args: ['x'], env: ['A=1'], cwd: '/w' },
    root: { path: 'rootfs' },
    mounts: [
      { destination: '/db', type: 'bind', source: '/vol/db/_data', options: ['rbind', 'rw'] },
      { destination: '/b', type: 'bind', source: '/a', options: ['rbind', 'ro', 'rslave'] },
      { destination: '/d', type: 'overlay', source: 'overlay', options: ['lowerdir=/c\\:x', 'upperdir=/u', 'workdir=/w'] },
    ],
    annotations: { 'io.rootless.overlay': JSON.stringify({ base: '/layers', lower: ['b', 'a'], upper: 'upper', work: 'work' }) },
  };
  assert.is(
    await show('{{range .Mounts}}{{.Type}} {{.Source}} {{.Destination}} {{.RW}} {{.Propagation}};{{end}}', container, bundle),
    'volume /vol/db/_data /db true ;bind /a /b false rslave;bind /c:x /d true rprivate;',
  );
  assert.is(await show('{{.Config.Hostname}} {{.Config.Env}} {{.Config.WorkingDir}} {{.Driver}}', container, bundle), 'h [A=1] /w overlay');
  assert.match(
    await show('{{.GraphDriver.Data.LowerDir}} {{.GraphDriver.Data.UpperDir}}', container, bundle),
    /^\/layers\/b:\/layers\/a .*\/upper$/,
  );
});

for (const bundle of ['', '{', 'null', '[]', '{"mounts":null}', '{"process":{},"linux":{}}']) {
  test(`a bundle that says ${bundle || 'nothing'} hides nothing else`, async () => {
    assert.is(await show('{{.Name}} {{.Config.Hostname}} {{.Driver}}', made({ name: 'web' }), bundle), 'web 000000000000 none');
  });
}

const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
     |-- 192.168.1.77
        /32 host LOCAL
`;
const head = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';

test('the address of a network of its own is the one that is not loopback', () => {
  const route = `${head}eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`;
  assert.equal(placeOf(trie, route), { address: '192.168.1.77', length: 24, gateway: '192.168.1.1' });
  assert.equal(placeOf(trie, head), { address: '192.168.1.77', length: 32, gateway: '' });
  assert.is(placeOf('Main:\n  |-- 127.0.0.1\n     /32 host LOCAL\n', head), undefined);
  assert.is(placeOf('', ''), undefined);
});

test.run();
