/** Logins to real registries: by password and by tokens, typed, piped and kept; and tokens for several repositories. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { environment, rootless } from '../support/cli.ts';
import { bin } from '../support/checkout.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { digestOf, done, refused, withLayout } from '../support/pushed.ts';
import { Terminal } from '../support/pty.ts';
import { type TestRegistry, withRegistry } from '../support/registry.ts';

const needs = ['userns', 'registry'] as const;

/** A home of its own for each test: logins are files. */
function own({ folder }: TestRegistry): { readonly env: Record<string, string>; readonly file: string } {
  const docker = join(folder, 'docker');
  mkdirSync(docker);
  return { env: { DOCKER_CONFIG: docker, XDG_RUNTIME_DIR: environment['XDG_RUNTIME_DIR'] ?? '' }, file: join(docker, 'config.json') };
}

const login = (host: string, ...flags: readonly string[]) => ['login', ...flags, host];

live('a password is tried before it is kept, and nobody else can read it', needs, () =>
  withRegistry({ basic: true }, async (registry) => {
    const { host } = registry;
    const { env, file } = own(registry);
    writeFileSync(file, '{"psFormat": "x"}');
    const wrong = await rootless(['--debug', ...login(host, '-u', 'ana', '--password-stdin')], { env, input: 'wr0ng\n' });
    assert.is(wrong.code, 125);
    assert.match(wrong.stderr, /REGISTRY_UNAUTHORIZED/);
    assert.not.match(wrong.stderr, /wr0ng/);
    assert.is(readFileSync(file, 'utf8'), '{"psFormat": "x"}');
    const right = await done(login(host, '-u', 'ana', '--password-stdin'), { env, input: 'secret\n' });
    assert.is(right.stdout, 'Login Succeeded\n');
    assert.is(statSync(file).mode & 0o777, 0o600);
    const kept = JSON.parse(readFileSync(file, 'utf8')) as { psFormat: string; auths: Record<string, { auth: string }> };
    assert.equal([kept.psFormat, kept.auths[host]?.auth], ['x', Buffer.from('ana:secret').toString('base64')]);
    assert.is((await done(login(host, '--get-login'), { env })).stdout, 'ana\n');
    assert.match((await done(login(host), { env })).stderr, /existing credentials/);
    assert.match((await done(['logout', host], { env })).stdout, /^Removing login credentials for localhost/);
    assert.match((await done(['logout', host], { env })).stdout, /^Not logged in to localhost/);
    await refused(login(host, '--get-login'), 'NOT_LOGGED_IN', { env });
  }),
);

live('skopeo uses the login that was kept here, and the reverse', needs, () =>
  withLayout([1000], (layout) =>
    withRegistry({ basic: true }, async (registry) => {
      const { host, folder } = registry;
      const reference = registry.push(layout, 'x:1');
      const file = join(folder, 'auth.json');
      await done(login(host, '-u', 'ana', '-p', 'secret', '--authfile', file));
      const skopeo = (...args: readonly string[]) => spawnSync('skopeo', args, { encoding: 'utf8' });
      assert.is(skopeo('inspect', '--tls-verify=false', '--authfile', file, `docker://${reference}`).status, 0);
      const theirs = join(folder, 'theirs.json');
      const made = skopeo('login', '--tls-verify=false', '-u', 'ana', '-p', 'secret', '--authfile', theirs, host);
      assert.is(made.status, 0, made.stderr);
      await refused(['pull', '-q', reference], 'REGISTRY_UNAUTHORIZED');
      await done(['pull', '-q', '--authfile', theirs, reference]);
      await done(['push', '-q', '--creds', 'ana:secret', reference, `${host}/y:1`]);
      assert.not.match(await refused(['push', '-q', '--creds', 'ana:wr0ng', reference, `${host}/z:1`], 'REGISTRY_UNAUTHORIZED'), /wr0ng/);
    }),
  ),
);

live('a password that is typed is not shown, and no password is asked for without a terminal', [...needs, 'python'], () =>
  withRegistry({ basic: true }, async (registry) => {
    const { env, file } = own(registry);
    await refused(login(registry.host), 'TTY_MISSING', { env });
    const terminal = new Terminal([process.execPath, '--', bin, ...login(registry.host)], { ...environment, ...env });
    await terminal.shows(/Username: /);
    terminal.type('anna\x7f\x7fa\r');
    await terminal.shows(/Password: /);
    await eventually(async () => assert.not.ok((await terminal.modes()).echo));
    terminal.type('secret\r');
    assert.is(await terminal.ended, 0, terminal.screen);
    assert.match(terminal.screen, /Login Succeeded/);
    assert.not.match(terminal.screen, /secret/);
    assert.ok(existsSync(file) || existsSync(join(environment['XDG_RUNTIME_DIR'] ?? '', 'containers/auth.json')));
    await done(['logout', '--all'], { env });
  }),
);

live('arguments with a password are not what ps shows', needs, () =>
  withRegistry({ basic: true }, async (registry) => {
    const { env } = own(registry);
    const script = `"$0" -- "$1" login -u ana -p secret 10.255.255.1 & pid=$!; for i in $(seq 1000); do
      line=$(tr '\\0' ' ' < /proc/$pid/cmdline); case "$line" in *secret*) sleep 0.05;; *) echo "now: $line"; break;; esac; done; kill $pid`;
    const run = spawnSync('sh', ['-c', script, process.execPath, bin], { env: { ...environment, ...env }, encoding: 'utf8' });
    assert.match(run.stdout, /^now: rootless/);
  }),
);

live('a token server is asked for what is needed, and for several repositories at once', needs, () =>
  withLayout([2_000_000], (layout) =>
    withRegistry({ tokens: {} }, async (registry) => {
      const { host, asked } = registry;
      const { env } = own(registry);
      await registry.pushWithToken(layout, 'public/x:1');
      const before = asked.length;
      await done(['pull', '-q', `${host}/public/x:1`], { env });
      assert.equal(asked.slice(before), ['GET - repository:public/x:pull']);
      await refused(['push', `${host}/public/x:1`, `${host}/private/y:1`], 'REGISTRY_UNAUTHORIZED', { env });
      await done(login(host, '-u', 'ana', '--password-stdin'), { env, input: 'secret' });
      const mark = asked.length;
      const pushed = await done(['push', `${host}/public/x:1`, `${host}/private/y:1`], { env });
      assert.match(pushed.stderr, /Mounted from public\/x/);
      assert.equal(asked.slice(mark), [
        'GET ana repository:private/y:pull,push',
        'GET ana repository:private/y:pull,push,repository:public/x:pull',
      ]);
      const pulled = await done(['pull', `${host}/private/y:1`], { env });
      assert.match(pulled.stderr, new RegExp(digestOf(pushed)));
      assert.match((await done(['search', '--list-tags', `${host}/private/y`], { env })).stdout, /y +1$/m);
      assert.match((await done(['search', host], { env })).stdout, /private\/y$/m);
      assert.ok(asked.includes('GET ana registry:catalog:*'), asked.join('\n'));
    }),
  ),
);

live('a refresh token is kept instead of the password, and short tokens are renewed', needs, () =>
  withLayout([3_000_000, 3_000_000, 10_000], (layout) =>
    withRegistry({ tokens: { refresh: true, lifetime: 1 } }, async (registry) => {
      const { host, asked } = registry;
      const { env, file } = own(registry);
      const reference = await registry.pushWithToken(layout, 'a/x:1');
      writeFileSync(file, '{}');
      await done(login(host, '-u', 'ana', '--password-stdin'), { env, input: 'secret' });
      const kept = readFileSync(file, 'utf8');
      assert.match(kept, /"identitytoken": "refresh-token-of-ana"/);
      assert.not.ok(kept.includes(Buffer.from('secret').toString('base64')) || kept.includes('secret'));
      const mark = asked.length;
      await done(['pull', '-q', reference], { env });
      await done(['push', '-q', reference, `${host}/b/x:1`], { env });
      assert.ok(
        asked.slice(mark).every((line) => line.startsWith('POST refresh ')),
        asked.join('\n'),
      );
      assert.is((await done(login(host, '--get-login'), { env })).stdout, 'ana\n');
    }),
  ),
);

live('TLS and a password together: the authority is trusted, the certificate of another is not', needs, () =>
  withRegistry({ tls: true, basic: true }, async (registry) => {
    const { env } = own(registry);
    const typed = { env, input: 'secret' };
    const said = await rootless(['--debug', ...login(registry.host, '--tls-verify=true', '-u', 'ana', '--password-stdin')], typed);
    assert.match(said.stderr, /REGISTRY_TLS/);
    await done(login(registry.host, '--cert-dir', registry.folder, '--tls-verify=true', '-u', 'ana', '--password-stdin'), typed);
  }),
);

live.run();
