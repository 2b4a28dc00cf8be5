/** Units of systemd: text quoted and read as systemd does, `generate systemd`, and .container files. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { repeatable, unitOf, type UnitWish } from '../../src/cli/generate-unit.ts';
import { parseFlags } from '../../src/cli/flags.ts';
import { containerKeys } from '../../src/cli/quadlet-keys.ts';
import { runFlags } from '../../src/cli/run-flags.ts';
import { translate } from '../../src/cli/quadlet-translate.ts';
import { parseUnit, quoteWord, splitWords, unitWord, valuesOf } from '../../src/cli/systemd-text.ts';
import type { ContainerOptions } from '../../src/runtime/options.ts';
import type { Container, Listed } from '../../src/runtime/state.ts';
import { containerFacts } from '../support/container-facts.ts';
import { hasCode } from '../support/errors.ts';

for (const word of ['plain', '', 'a b', 'a"b', "it's", 'back\\slash', '100%', '$HOME ${X}', 'tab\tline\nend', '-e', 'ä;b', '\x01']) {
  test(`the word ${JSON.stringify(word)} survives quoting and splitting`, () => {
    assert.equal(splitWords(quoteWord(word)), [word]);
    assert.equal(
      splitWords(unitWord(word)).map((text) => text.replaceAll('%%', '%').replaceAll('$$', '$')),
      [word],
    );
  });
}

for (const [text, words] of [
  ['a b  c', ['a', 'b', 'c']],
  [' "a b" c ', ['a b', 'c']],
  ["'a \"b' c", ['a "b', 'c']],
  ['A="b c"', ['A=b c']],
  ['"A=b c" D=e', ['A=b c', 'D=e']],
  ['a\\x20b \\u00e4 \\101 \\n', ['a b', 'ä', 'A', '\n']],
  ['""', ['']],
  ['', []],
] as const) {
  test(`${JSON.stringify(text)} is split into ${words.length} words`, () => assert.equal(splitWords(text), [...words]));
}

test('a quote that is not closed is refused', () => {
  assert.throws(() => splitWords('a "b'), hasCode('UNIT_INVALID'));
  assert.throws(() => splitWords("a 'b"), hasCode('UNIT_INVALID'));
});

test('units are read as systemd reads them: comments, continued lines, lists that begin anew', () => {
  const [unit, container] = parseUnit(
    '# first\n[Unit]\nDescription=a \\\n# in between\n  b\n\n[Container]\nLabel=a=1\nLabel=\nLabel = b=2\n; last\nImage=x\r\n',
    'x.container',
  );
  assert.equal(unit?.lines, [{ key: 'Description', value: 'a  b', line: 3 }]);
  assert.equal(valuesOf(container?.lines ?? [], 'Label'), ['b=2']);
  assert.equal(valuesOf(container?.lines ?? [], 'Image'), ['x']);
});

for (const text of ['Image=x\n', '[Container]\nnonsense\n', '[Container]\n=x\n']) {
  test(`${JSON.stringify(text)} is no unit`, () => assert.throws(() => parseUnit(text, 'x'), hasCode('UNIT_INVALID')));
}

for (const [words, result] of [
  ['-d --name old nginx', '--name web -- nginx'],
  ['-dit --rm=true nginx sh -c', '--name web --interactive --tty -- nginx sh -c'],
  ['-p8080:80 -p 1:1 --cidfile /x --replace nginx', '--name web --publish 8080:80 --publish 1:1 -- nginx'],
  ['--restart always --sdnotify ignore nginx', '--name web -- nginx'],
  ['--sdnotify container --init=false nginx -d', '--name web --init=false -- nginx -d'],
  ['-e A=1 -e B -e C nginx', '--name web --env A=1 --env B=two --env C -- nginx'],
] as const) {
  test(`"run ${words}" is repeated as "run ${result}"`, () => {
    assert.equal(repeatable(words.split(' '), 'web', ['A=1', 'B=two']).join(' '), result);
  });
}

const wish: UnitWish = {
  unit: 'container-web',
  fresh: false,
  byName: true,
  restart: 'on-failure',
  restartSeconds: undefined,
  startTimeout: undefined,
  stopTimeout: undefined,
  after: [],
  wants: [],
  requires: [],
  environment: [],
};
const environment = { program: '/opt/my tools/rootless', variables: ['ROOTLESS_DATA=/data 100%'] };
const made = (more: Partial<Container> = {}, options: Partial<ContainerOptions> = {}): Listed => ({
  ...containerFacts(options),
  name: 'web',
  ...more,
  status: 'exited',
  exit: undefined,
  life: undefined,
});
const keys = (unit: string) =>
  Object.fromEntries(unit.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));

test('the unit of a container that stays starts and stops it', () => {
  const unit = keys(unitOf(made({}, { stopTimeout: 3 }), wish, environment, '/data 1'));
  assert.is(unit['ExecStart'], '"/opt/my tools/rootless" start --sdnotify conmon web');
  assert.is(unit['ExecStop'], '"/opt/my tools/rootless" stop --time 3 web');
  assert.is(unit['TimeoutStopSec'], '63');
  assert.is(unit['Type'], 'notify');
  assert.is(unit['Environment'], '"ROOTLESS_DATA=/data 100%%"');
  assert.is(unit['RequiresMountsFor'], '"/data 1"');
  assert.is(unit['WantedBy'], 'default.target');
});

test('by id, with other timeouts and neighbours', () => {
  const more = {
    byName: false,
    stopTimeout: 5,
    restart: 'always',
    restartSeconds: 7,
    startTimeout: 9,
    after: ['db.service'],
    wants: ['db.service'],
    requires: ['net.service'],
    environment: ['A=b c'],
  };
  const unit = unitOf(made(), { ...wish, ...more }, environment, '/data');
  assert.match(unit, new RegExp(`start --sdnotify conmon ${'0'.repeat(64)}\n`));
  for (const line of [
    'Restart=always',
    'RestartSec=7',
    'TimeoutStartSec=9',
    'After=network-online.target db.service',
    'Wants=network-online.target db.service',
    'Requires=net.service',
    'Environment="A=b c"',
    'TimeoutStopSec=65',
  ]) {
    assert.ok(unit.includes(`${line}\n`), line);
  }
});

for (const [sdnotify, words, notifier] of [
  ['container', [], 'conmon'],
  ['ignore', ['--sdnotify', 'ignore'], 'conmon'],
  ['container', ['--sdnotify=container'], 'container'],
  ['healthy', ['--sdnotify', 'healthy'], 'healthy'],
] as const) {
  test(`"run ${words.join(' ')}" becomes a unit that waits for ${notifier}`, () => {
    const container = made({ line: { words: [...words, 'nginx'], folder: '/' } }, { sdnotify });
    assert.ok(unitOf(container, wish, environment, '/data').includes(`start --sdnotify ${notifier} web\n`));
    assert.ok(unitOf(container, { ...wish, fresh: true }, environment, '/data').includes(` --sdnotify ${notifier} --name web -- nginx\n`));
  });
}

test('with --new the line of its creation is repeated where it was typed', () => {
  const line = { words: ['-d', '-e', 'A=$x 100%', '--name', 'old', 'nginx', 'sh', '-c', 'echo "$HOME"'], folder: '/home/ana/my site' };
  const unit = keys(unitOf(made({ line }), { ...wish, fresh: true }, { program: '/usr/bin/rootless', variables: [] }, '/data'));
  assert.is(
    unit['ExecStart'],
    '/usr/bin/rootless run --cidfile %t/%n.ctr-id --detach --replace --rm --sdnotify conmon --name web --env "A=$$x 100%%" -- nginx sh -c "echo \\"$$HOME\\""',
  );
  assert.is(unit['ExecStop'], '/usr/bin/rootless stop --ignore --time 10 --cidfile %t/%n.ctr-id');
  assert.is(unit['WorkingDirectory'], '-/home/ana/my site');
});

test('with --new a container that nobody typed is refused', () => {
  assert.throws(() => unitOf(made(), { ...wish, fresh: true }, environment, '/data'), hasCode('UNIT_NEEDS_LINE'));
});

const quadlet = (text: string, path = '/home/ana/web.container') => translate(text, path, { program: '/usr/bin/rootless', variables: [] });
const line = (text: string) => keys(quadlet(`[Container]\nImage=nginx\n${text}\n`).text)['ExecStart'] ?? '';

test('a .container file becomes a unit', () => {
  const { unit, text, links } = quadlet(`[Unit]
Description=a site
After=db.service

[Container]
Image=docker.io/library/nginx:1
ContainerName=web
Exec=nginx -g "daemon off;"
PublishPort=8080:80
Volume=./site:/srv:ro
Volume=data.volume:/data
Volume=%h/x:/x
Environment=A=1 "B=two words"
Environment=C=%h
EnvironmentFile=./env
User=33
Group=44
HealthCmd=curl -f localhost
NoNewPrivileges=true
Notify=healthy

[Service]
Restart=always
KillMode=process

[Install]
WantedBy=default.target multi-user.target
Alias=www.service
`);
  assert.is(unit, 'web.service');
  assert.equal(links, ['default.target.wants/web.service', 'multi-user.target.wants/web.service', 'www.service']);
  assert.is(
    keys(text)['ExecStart'],
    '/usr/bin/rootless run --name web --cidfile %t/%N.cid --replace --rm --sdnotify healthy --detach --user 33:44 --env A=1 --env "B=two words" --env C=%h --env-file /home/ana/env --health-cmd "curl -f localhost" --security-opt no-new-privileges --publish 8080:80 --volume /home/ana/site:/srv:ro --volume systemd-data:/data --volume %h/x:/x docker.io/library/nginx:1 nginx -g "daemon off;"',
  );
  assert.match(text, /^KillMode=process$/m);
  assert.not.match(text, /KillMode=mixed/);
  assert.match(text, /^Restart=always$/m);
  assert.match(text, /^Description=a site$/m);
});

for (const [text, words] of [
  ['', '--name systemd-%N'],
  ['Rootfs=/srv/root\nImage=', 'rootfs:/srv/root'],
  ['AddCapability=NET_ADMIN CAP_CHOWN', '--cap-add NET_ADMIN --cap-add CAP_CHOWN'],
  ['DropCapability=all', '--cap-drop all'],
  ['ReadOnly=yes\nRunInit=true', '--init'],
  ['ReadOnly=yes', '--read-only'],
  ['Label=a=1 "b=two words"', '--label a=1 --label "b=two words"'],
  ['Sysctl=net.a=1 net.b=2', '--sysctl net.a=1 --sysctl net.b=2'],
  ['Secret=key,type=env', '--secret key,type=env'],
  ['Timezone=local', '--tz local'],
  ['Network=host', '--network host'],
  ['Network=front.network:ip=10.89.0.9', '--network systemd-front:ip=10.89.0.9'],
  ['Network=web.container', '--network container:systemd-web'],
  ['NetworkAlias=db', '--network-alias db'],
  ['IP=10.89.0.9', '--ip 10.89.0.9'],
  ['PodmanArgs=--cpus 2 "--label=x=a b"', '--cpus 2 "--label=x=a b" nginx'],
  ['Notify=yes', '--sdnotify container'],
  ['AutoUpdate=registry', '--detach nginx'],
  ['SeccompProfile=./p.json', '--security-opt seccomp=/home/ana/p.json'],
  ['Exec=echo $HOME', 'nginx echo $HOME'],
] as const) {
  test(`[Container] ${JSON.stringify(text)} means ${words}`, () => assert.ok(line(text).includes(words), line(text)));
}

const samples: Readonly<Record<string, string>> = {
  AddDevice: '/dev/null',
  GIDMap: '0:0:1',
  UIDMap: '0:0:1',
  AddHost: 'a:1.2.3.4',
  AddCapability: 'CHOWN',
  DropCapability: 'all',
  Annotation: 'a=b',
  Environment: 'A=1',
  EnvironmentFile: '/dev/null',
  ExposeHostPort: '80',
  HealthInterval: '1s',
  HealthOnFailure: 'kill',
  HealthRetries: '3',
  HealthStartPeriod: '1s',
  HealthTimeout: '1s',
  IP: '10.89.0.9',
  IP6: 'fd00::9',
  LogDriver: 'none',
  LogOpt: 'tag=x',
  Memory: '1g',
  Mount: 'type=tmpfs,dst=/x',
  Network: 'none',
  PidsLimit: '3',
  PublishPort: '80:80',
  Pull: 'never',
  Secret: 'x',
  ShmSize: '1m',
  StopSignal: 'INT',
  StopTimeout: '3',
  Sysctl: 'net.a=1',
  Timezone: 'local',
  Tmpfs: '/x',
  Ulimit: 'nofile=1',
  UserNS: 'host',
  Volume: '/a:/b',
  WorkingDir: '/x',
  DNS: '9.9.9.9',
  PodmanArgs: '--rm',
};

for (const [key, rule] of Object.entries(containerKeys)) {
  test(`what ${key} becomes is known to "rootless run"`, () => {
    const words = rule(samples[key] ?? 'yes');
    assert.equal(parseFlags('run', runFlags, [...words, 'image'], true).args, ['image']);
  });
}

test('a oneshot is waited for', () => {
  const { text } = quadlet('[Container]\nImage=x\n[Service]\nType=oneshot\n');
  assert.not.match(text, /--detach/);
  assert.not.match(text, /Type=notify/);
});

for (const [text, code] of [
  ['', 'UNIT_INVALID'],
  ['[Container]\nExec=x\n', 'UNIT_INVALID'],
  ['[Container]\nImage=x\nGroup=1\n', 'UNIT_INVALID'],
  ['[Container]\nImage=x\nNoSuchKey=1\n', 'QUADLET_UNSUPPORTED'],
  ['[Container]\nImage=x\nconstructor=1\n', 'QUADLET_UNSUPPORTED'],
  ['[Container]\nImage=x.image\n', 'QUADLET_UNSUPPORTED'],
  ['[Container]\nImage=x\nNetwork=web.pod\n', 'QUADLET_UNSUPPORTED'],
  ['[Container]\nImage=x\nPod=web.pod\n', 'QUADLET_UNSUPPORTED'],
  ['[Container]\nImage=x\n[Install]\nWantedBy=../../evil\n', 'UNIT_INVALID'],
  ['[Container]\nImage=x\n[Install]\nAlias=..\n', 'UNIT_INVALID'],
] as const) {
  test(`${JSON.stringify(text)} is refused with ${code}`, () => assert.throws(() => quadlet(text), hasCode(code)));
}

test('only a .container file is one', () => {
  for (const path of ['/x/web.service', '/x/.container/y', '/x/a b.container']) {
    assert.throws(() => quadlet('[Container]\nImage=x\n', path), hasCode('UNIT_NAME_INVALID'), path);
  }
});

test('a container comes after the network that it is on', () => {
  const { text } = quadlet('[Container]\nImage=x\nNetwork=front.network\n');
  assert.match(text, /^Requires=front-network\.service\nAfter=front-network\.service$/m);
});

test('a .network file is a unit that makes the network once', () => {
  const lines =
    '[Network]\nSubnet=10.90.1.0/24\nInternal=true\nIPv6=false\nLabel=a=b "c=d e"\nOptions=mtu=1500\n[Install]\nWantedBy=default.target\n';
  const { unit, text, links } = quadlet(lines, '/home/ana/front.network');
  assert.is(unit, 'front-network.service');
  assert.equal(links, ['default.target.wants/front-network.service']);
  const flags = '--internal --label a=b --label "c=d e" --opt mtu=1500 --subnet 10.90.1.0/24 systemd-front';
  assert.ok(text.includes(`ExecStart=/usr/bin/rootless network create --ignore ${flags}\n`), text);
  assert.match(text, /^Type=oneshot\nRemainAfterExit=yes$/m);
  assert.not.match(text, /ExecStopPost/);
  const gone = quadlet('[Network]\nNetworkName=mine\nNetworkDeleteOnStop=yes\n', '/home/ana/front.network').text;
  assert.match(gone, /create --ignore mine\n(.*\n)*ExecStopPost=-\/usr\/bin\/rootless network rm mine$/m);
  assert.throws(() => quadlet('[Network]\nNosuch=1\n', '/home/ana/front.network'), /line 2/);
});

test.run();
