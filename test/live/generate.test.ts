/** `generate systemd` and `quadlet`: units that systemd itself finds right, and whose commands do what they say. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { splitWords } from '../../src/cli/systemd-text.ts';
import { environment, rootless, until } from '../support/cli.ts';
import { detached, ok } from '../support/detached.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const none = ['--network', 'none'];

/** What systemd says of a unit; nothing where it is not installed. */
function complaints(folder: string, unit: string): string {
  const run = spawnSync('systemd-analyze', ['verify', '--user', '--man=no', join(folder, unit)], { env: environment, encoding: 'utf8' });
  return run.error === undefined && run.status !== 0 ? `${run.stdout}${run.stderr}` : '';
}

/** The words of a command of a unit, as systemd would run it. */
function commandOf(unit: string, key: string, folder: string): string[] {
  const line = new RegExp(`^${key}=-?(.*)$`, 'm').exec(unit)?.[1] ?? '';
  return splitWords(line).map((word) =>
    word.replaceAll('%t', folder).replaceAll(/%[nN]/g, 'unit').replaceAll('%%', '%').replaceAll('$$', '$'),
  );
}

live('the unit of a container starts and stops it', needs, () =>
  withTmp(async (folder) => {
    await detached(['--name', 'web'], ['sleep', '300'], async () => {
      const unit = await ok(['generate', 'systemd', '--name', 'web']);
      writeFileSync(join(folder, 'container-web.service'), unit);
      assert.is(complaints(folder, 'container-web.service'), '');
      const [, ...stop] = commandOf(unit, 'ExecStop', folder);
      const [, ...begin] = commandOf(unit, 'ExecStart', folder);
      await ok(stop.map((word) => (word === '10' ? '0' : word)));
      assert.is((await ok(['inspect', '-f', '{{.State.Status}}', 'web'])).trim(), 'exited');
      await ok(begin);
      assert.is((await ok(['inspect', '-f', '{{.State.Status}}', 'web'])).trim(), 'running');
    });
  }),
);

/** Waits for one datagram, as systemd does. */
const listener = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(100)
print('bound', flush=True)
print(s.recv(4096).decode() + 'told', flush=True)
`;

live('the service manager hears that the program runs, and whose process to watch', [...needs, 'python'], () =>
  withTmp(async (folder) => {
    await detached(['--name', 'told'], ['sleep', '300'], async () => {
      await ok(['stop', '-t', '0', 'told']);
      const unit = await ok(['generate', 'systemd', '--name', 'told']);
      const socket = join(folder, 'notify');
      const manager = spawn('python3', ['-c', listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
      const heard = until(manager, 'told');
      await until(manager, 'bound');
      const [, ...begin] = commandOf(unit, 'ExecStart', folder);
      const started = await rootless(begin, { env: { NOTIFY_SOCKET: socket } });
      assert.is(started.code, 0, started.stderr);
      const pid = (await ok(['inspect', '-f', '{{.Monitor.Pid}}', 'told'])).trim();
      assert.match(await heard, new RegExp(`MAINPID=${pid}\\nREADY=1\\n`));
    });
  }),
);

live('with --new the unit makes the same container again', needs, () =>
  withTmp(async (folder) => {
    await detached(['--name', 'fresh', '-e', 'A=b c %h $HOME', '-l', 'tier=front'], ['sleep', '300'], async () => {
      const written = await rootless(['generate', 'systemd', '--new', '--files', '--name', 'fresh'], { cwd: folder });
      assert.is(written.code, 0, written.stderr);
      const path = join(folder, 'container-fresh.service');
      assert.is(written.stdout, `${path}\n`);
      const unit = readFileSync(path, 'utf8');
      assert.is(complaints(folder, 'container-fresh.service'), '');
      const [, ...begin] = commandOf(unit, 'ExecStart', folder);
      const [, ...gone] = commandOf(unit, 'ExecStopPost', folder);
      await ok(begin);
      assert.is(await ok(['exec', 'fresh', 'sh', '-c', 'echo "$A"']), 'b c %h $HOME\n');
      assert.is((await ok(['inspect', '-f', '{{index .Config.Labels "tier"}} {{.HostConfig.AutoRemove}}', 'fresh'])).trim(), 'front true');
      await ok(gone);
      assert.is((await rootless(['container', 'exists', 'fresh'])).code, 1);
    });
  }),
);

live('a .container file becomes a unit that runs', needs, () =>
  withTmp(async (folder) => {
    const file = join(folder, 'site.container');
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'data/x'), 'shared');
    writeFileSync(
      file,
      `[Container]\nImage=${busyboxImage()}\nContainerName=site\nNetwork=none\nVolume=./data:/data:ro\nExec=sh -c "cat /data/x; exec sleep 300"\n[Install]\nWantedBy=default.target\n`,
    );
    const unit = await ok(['quadlet', 'print', file]);
    writeFileSync(join(folder, 'site.service'), unit);
    assert.is(complaints(folder, 'site.service'), '');
    await ok(commandOf(unit, 'ExecStart', folder).slice(1));
    assert.is(await ok(['exec', 'site', 'cat', '/data/x']), 'shared');
    await ok(
      commandOf(unit, 'ExecStop', folder)
        .slice(1)
        .map((word) => (word === '10' ? '0' : word)),
    );
    assert.is((await rootless(['container', 'exists', 'site'])).code, 1);
  }),
);

live('install enables a unit, ls lists it, rm leaves nothing', [], () =>
  withTmp(async (folder) => {
    const env = { XDG_CONFIG_HOME: folder };
    const file = join(folder, 'site.container');
    writeFileSync(file, '[Container]\nImage=busybox\n[Install]\nWantedBy=default.target\n');
    const units = join(folder, 'systemd/user');
    const installed = await rootless(['quadlet', 'install', '--reload-systemd=false', file], { env });
    assert.is(installed.stdout, `${join(units, 'site.service')}\n`, installed.stderr);
    assert.ok(lstatSync(join(units, 'default.target.wants/site.service')).isSymbolicLink());
    assert.is((await rootless(['quadlet', 'install', '--reload-systemd=false', file], { env })).code, 125);
    assert.is((await rootless(['quadlet', 'install', '--reload-systemd=false', '--replace', file], { env })).code, 0);
    assert.is((await rootless(['quadlet', 'ls', '--format', '{{.Name}} {{.File}}'], { env })).stdout, `site.service ${file}\n`);
    assert.is((await rootless(['quadlet', 'rm', '--reload-systemd=false', 'site'], { env })).stdout, 'site.service\n');
    assert.not(existsSync(join(units, 'default.target.wants')));
    assert.not(existsSync(join(units, 'site.service')));
    assert.is((await rootless(['quadlet', 'rm', '--reload-systemd=false', 'site'], { env })).code, 1);
  }),
);

live('rm takes no unit that somebody else wrote', [], () =>
  withTmp(async (folder) => {
    const units = join(folder, 'systemd/user');
    mkdirSync(units, { recursive: true });
    writeFileSync(join(units, 'own.service'), '[Service]\nExecStart=/bin/true\n');
    assert.is((await rootless(['quadlet', 'rm', 'own'], { env: { XDG_CONFIG_HOME: folder } })).code, 1);
    assert.ok(existsSync(join(units, 'own.service')));
  }),
);

live('what cannot be a unit is refused', needs, async () => {
  await ok(['create', '--name', 'made', ...none, busyboxImage(), 'true']);
  for (const args of [
    ['nosuch'],
    [],
    ['--restart-policy', 'sometimes', 'made'],
    ['--container-prefix', 'a b', 'made'],
    ['made', 'made'],
    ['--time', '-1', 'made'],
  ]) {
    assert.ok((await rootless(['generate', 'systemd', ...args])).code !== 0, args.join(' '));
  }
  await ok(['rm', 'made']);
  assert.is((await rootless(['quadlet', 'print', '/no/such.container'])).code, 125);
});

live.run();
