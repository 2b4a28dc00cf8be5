/** `rootless validate` on real documents: those of other tools pass, broken ones name the JSON path and the rule. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { helper } from '../support/checkout.ts';
import { rootless } from '../support/cli.ts';
import { run } from '../support/container.ts';
import { busyboxImage, busyboxRootfs } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

type Config = { process: { cwd?: string; args: string[]; terminal: boolean }; linux: { namespaces: { type: string }[] } };

live('the bundle of runc spec --rootless is valid', [], () =>
  withTmp(async (folder) => {
    assert.is(spawnSync('runc', ['spec', '--rootless'], { cwd: folder }).status, 0);
    mkdirSync(join(folder, 'rootfs'));
    const { code, stdout, stderr } = await rootless(['validate', folder]);
    assert.is(code, 0, stdout + stderr);
  }),
);

live('what --dry-run prints is valid', ['userns', 'busybox'], () =>
  withTmp(async (folder) => {
    const path = join(folder, 'config.json');
    writeFileSync(path, (await run(['--dry-run', '-v', `${folder}:/x:ro`, '--read-only', '--tmpfs', '/t'], ['true'])).stdout);
    const { code, stdout, stderr } = await rootless(['validate', path]);
    assert.is(code, 0, stdout + stderr);
  }),
);

live('the manifest and config of a real image are valid', ['busybox'], async () => {
  const layout = busyboxImage().slice('oci:'.length);
  const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
  const blob = (digest: string) => join(layout, 'blobs/sha256', digest.slice('sha256:'.length));
  const manifest = blob(index.manifests[0]?.digest ?? '');
  const config = blob((JSON.parse(readFileSync(manifest, 'utf8')) as { config: { digest: string } }).config.digest);
  for (const path of [join(layout, 'index.json'), manifest, config]) {
    const { code, stdout, stderr } = await rootless(['validate', path]);
    assert.is(code, 0, `${path}: ${stdout}${stderr}`);
  }
});

live('all problems are reported at once, each with its JSON path', [], () =>
  withTmp(async (folder) => {
    assert.is(spawnSync('runc', ['spec', '--rootless'], { cwd: folder }).status, 0);
    const path = join(folder, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as Config;
    config.process.cwd = 'relative';
    config.process.args = [];
    config.linux.namespaces.push({ type: 'pid' }, { type: 'nosuch' });
    writeFileSync(path, JSON.stringify(config));
    const { code, stdout } = await rootless(['validate', '--format', 'json', path]);
    assert.is(code, 1);
    const paths = (JSON.parse(stdout) as { path: string }[]).map((problem) => problem.path).join(' ');
    for (const part of ['process.cwd', 'process.args', 'linux.namespaces']) assert.match(paths.replaceAll('/', '.'), new RegExp(part));
  }),
);

live('--explain says what a rule demands and where, of every kind that has it', [], async () => {
  for (const [rule, says] of [
    ['mapping-overlap', /^mapping-overlap \(error, config\)\n {2}\S.*\n {2}config-linux\.md#user-namespace-mappings\n/],
    ['version-draft', /^version-draft \(warning, config\)\n {2}\S.*\n {2}config\.md#specification-version\n/],
    ['duplicate-key', /^duplicate-key \(error, every document\)\n {2}\S/],
    ['seccomp-action', /\(error, config\)[\s\S]*\(error, seccomp\)/],
  ] as const) {
    const { code, stdout, stderr } = await rootless(['validate', '--explain', rule]);
    assert.is(code, 0, stderr);
    assert.match(stdout, says);
  }
  const unknown = await rootless(['validate', '--explain', 'mapping']);
  assert.is(unknown.code, 125);
  assert.match(unknown.stderr, /there is no rule "mapping"[\s\S]*similar: .*mapping-overlap/);
});

live('a bundle of runc spec --rootless runs unchanged in the helper', ['userns', 'busybox'], () =>
  withTmp((folder) => {
    assert.is(spawnSync('runc', ['spec', '--rootless'], { cwd: folder }).status, 0);
    busyboxRootfs(join(folder, 'rootfs'));
    const path = join(folder, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as Config;
    config.process.terminal = false;
    config.process.args = ['sh', '-c', 'echo ran; exit 6'];
    writeFileSync(path, JSON.stringify(config));
    const result = spawnSync(helper, ['--root', join(folder, 'state'), 'run', '--bundle', folder, 'c1'], { encoding: 'utf8' });
    assert.is(result.stdout, 'ran\n', result.stderr);
    assert.is(result.status, 6);
  }),
);

live('create, state, start, kill, delete: the life of a container in the helper', ['userns', 'busybox'], () =>
  withTmp((folder) => {
    assert.is(spawnSync('runc', ['spec', '--rootless'], { cwd: folder }).status, 0);
    busyboxRootfs(join(folder, 'rootfs'));
    const path = join(folder, 'config.json');
    const config = JSON.parse(readFileSync(path, 'utf8')) as Config;
    config.process.terminal = false;
    config.process.args = ['sleep', '100'];
    writeFileSync(path, JSON.stringify(config));
    // The container keeps what `create` was given as its streams: a pipe would stay open until it ends.
    const quiet = 'ignore' as const;
    const verb = (...args: string[]) => {
      const stdio = args[0] === 'create' ? quiet : undefined;
      return spawnSync(helper, ['--root', join(folder, 'state'), ...args], { encoding: 'utf8', ...(stdio ? { stdio } : {}) });
    };
    const status = () => (JSON.parse(verb('state', 'c1').stdout || '{}') as { status?: string }).status;
    const created = verb('create', '--bundle', folder, 'c1');
    assert.is(created.status, 0, created.stderr);
    assert.is(status(), 'created');
    assert.is(verb('start', 'c1').status, 0);
    assert.is(status(), 'running');
    assert.ok(verb('delete', 'c1').status !== 0, 'a running container was deleted');
    assert.is(verb('kill', 'c1', 'KILL').status, 0);
    const end = Date.now() + 60_000;
    while (status() !== 'stopped' && Date.now() < end);
    assert.is(status(), 'stopped');
    assert.is(verb('delete', 'c1').status, 0);
    assert.ok(verb('state', 'c1').status !== 0);
  }),
);

live.run();
