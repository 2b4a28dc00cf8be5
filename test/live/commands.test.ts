/** The other commands in their first form: help, version, info, completion, unshare, inspect, rm. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { checkout } from '../support/checkout.ts';
import { rootless } from '../support/cli.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

const names = ['run', 'ps', 'rm', 'pull', 'images', 'inspect', 'validate', 'info', 'unshare', 'version', 'completion'];

live('--help lists every command, on stdout', [], async () => {
  const { code, stdout, stderr } = await rootless(['--help']);
  assert.is(code, 0);
  assert.is(stderr, '');
  for (const name of names) assert.match(stdout, new RegExp(`\\b${name}\\b`));
});

for (const name of names) {
  live(`${name} --help is short and exits 0`, [], async () => {
    const { code, stdout } = await rootless([name, '--help']);
    assert.is(code, 0);
    assert.match(stdout, new RegExp(`rootless ${name}`));
    assert.ok(stdout.split('\n').length < 180, 'help is too long');
  });
}

live('version is the one in package.json', [], async () => {
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
  assert.ok((await rootless(['version'])).stdout.includes(version));
  assert.ok((await rootless(['--version'])).stdout.includes(version));
  const { stdout, code } = await rootless(['version', '--format', 'json']);
  assert.is(code, 0);
  assert.ok(stdout.includes(version) && typeof JSON.parse(stdout) === 'object');
});

live('info is JSON on demand', ['userns'], async () => {
  const { code, stdout, stderr } = await rootless(['info', '--format', 'json']);
  assert.is(code, 0, stderr);
  assert.type(JSON.parse(stdout), 'object');
});

live('the bash completion is a valid script', [], async () => {
  const { code, stdout } = await rootless(['completion', 'bash']);
  assert.is(code, 0);
  assert.is(spawnSync('bash', ['-n'], { input: stdout }).status, 0);
});

live('unshare runs a program as root inside the mapping, and gives its exit code', ['userns'], async () => {
  const { code, stdout } = await rootless(['unshare', 'sh', '-c', 'id -u; exit 7']);
  assert.is(stdout, '0\n');
  assert.is(code, 7);
});

live('a kept container is listed, inspected and removed', ['userns', 'busybox'], async () => {
  assert.is((await rootless(['run', '--name', 'seen', '--network', 'none', busyboxImage(), 'true'])).code, 0);
  const listed = await rootless(['ps', '-a', '--format', 'json']);
  assert.match(listed.stdout, /"seen"/);
  const inspected = await rootless(['inspect', 'seen']);
  assert.is(inspected.code, 0);
  assert.match(JSON.stringify(JSON.parse(inspected.stdout)), /seen/);
  assert.is((await rootless(['rm', 'seen'])).code, 0);
  assert.ok((await rootless(['inspect', 'seen'])).code !== 0);
  assert.ok((await rootless(['rm', 'seen'])).code !== 0);
});

live('with --quiet nothing but the result is printed', ['userns', 'busybox'], async () => {
  const { stdout, stderr } = await rootless(['run', '--rm', '--quiet', '--network', 'none', busyboxImage(), 'echo', 'only']);
  assert.is(stdout, 'only\n');
  assert.is(stderr, '');
});

live.run();
