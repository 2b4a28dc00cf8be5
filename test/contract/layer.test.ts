/** `layer ls` and `layer check` on hostile archives: the native helper and the one in the sandbox must agree on every byte. */

import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runSandboxed } from '../../src/wasm/sandbox.ts';
import { dist, helper } from '../support/checkout.ts';
import { type Entry, pax, tarBytes } from '../support/tar.ts';

const plain: readonly Entry[] = [
  { name: 'etc/', type: '5', mode: 0o755 },
  { name: 'etc/hosts', data: '127.0.0.1 localhost\n', uid: 5, gid: 7 },
  { name: 'etc/link', type: '2', link: 'hosts' },
  { name: 'etc/hard', type: '1', link: 'etc/hosts' },
  { name: 'etc/.wh.gone', data: '' },
  { name: 'etc/.wh..wh..opq', data: '' },
  pax({ path: 'ünï/\u{1f9ea}', 'SCHILY.xattr.user.note': 'kept', mtime: '1.5' }),
  { name: 'short', data: 'x'.repeat(3000) },
];

const archives: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['two empty blocks', Buffer.alloc(1024)],
  ['ordinary entries', tarBytes(plain)],
  ['gzip', gzipSync(tarBytes(plain))],
  ['a path that escapes', tarBytes([{ name: '../../etc/passwd', data: 'x' }])],
  ['an absolute path', tarBytes([{ name: '/etc/passwd', data: 'x' }])],
  [
    'a link that escapes, and a file through it',
    tarBytes([
      { name: 'a', type: '2', link: '/etc' },
      { name: 'a/passwd', data: 'x' },
    ]),
  ],
  ['a hard link that escapes', tarBytes([{ name: 'a', type: '1', link: '../../etc/shadow' }])],
  ['a device', tarBytes([{ name: 'sda', type: '4', major: 8, minor: 0 }])],
  ['a setuid file', tarBytes([{ name: 'su', data: 'x', mode: 0o4755 }])],
  [
    'an entry twice',
    tarBytes([
      { name: 'a', data: '1' },
      { name: 'a', data: '2' },
    ]),
  ],
  ['a size beyond the end', tarBytes([{ name: 'a', data: 'x', size: 1 << 20 }])],
  [
    'a GNU long name',
    tarBytes([
      { name: '././@LongLink', type: 'L', data: `${'n'.repeat(300)}\0` },
      { name: 'n', data: '' },
    ]),
  ],
  [
    'a pax record that lies about its length',
    tarBytes([
      { name: 'pax', type: 'x', data: '99 path=a\n' },
      { name: 'b', data: '' },
    ]),
  ],
  ['not an archive', Buffer.from('#!/bin/sh\necho this is no archive\n'.repeat(40))],
  ['gzip that breaks off', gzipSync(tarBytes(plain)).subarray(0, -20)],
  ['the magic of zstd and no more', Buffer.from('28b52ffd', 'hex')],
  ['a thousand folders deep', tarBytes([{ name: 'd/'.repeat(1000), type: '5' }])],
];

for (const verb of ['ls', 'check']) {
  for (const [name, bytes] of archives) test(`native and sandbox agree: layer ${verb}, ${name}`, () => agree(verb, bytes));
}

test('native and sandbox agree on an archive cut off anywhere', () => {
  const bytes = tarBytes(plain);
  for (let end = 0; end < bytes.length; end += 211) agree('check', bytes.subarray(0, end));
});

test('native and sandbox agree on an archive with any one byte changed', () => {
  const bytes = tarBytes(plain);
  for (let at = 0; at < bytes.length; at += 97) {
    const changed = Buffer.from(bytes);
    changed[at] = (bytes[at] ?? 0) ^ 0x41;
    agree('check', changed);
  }
});

test('native and sandbox agree on zstd', () => {
  const { stdout } = spawnSync('zstd', ['-q', '-c'], { input: tarBytes(plain) });
  agree('ls', stdout);
});

test('a zstd window that would take too much memory is refused by both, one of 32 MiB is not', () => {
  const zstd = (...args: string[]) => spawnSync('zstd', ['-q', '-c', ...args], { input: tarBytes(plain) }).stdout;
  for (const [log, code] of [
    [25, 0],
    [27, 1],
  ] as const) {
    // The size is not known from a pipe, so the window stands in the header.
    const bytes = zstd(`--long=${log}`);
    const { stdout, code: got } = runSandboxed(['layer', 'check'], bytes, { dist });
    assert.is(got, code, Buffer.from(stdout).toString());
    agree('check', bytes);
  }
});

test('frames that hold no data, as zstd:chunked has them, are passed over by both', () => {
  const frame = (body: Buffer) => Buffer.concat([Buffer.from('502a4d18', 'hex'), Buffer.from([body.length, 0, 0, 0]), body]);
  const half = (part: Buffer) => spawnSync('zstd', ['-q', '-c'], { input: part }).stdout;
  const tar = tarBytes(plain);
  agree(
    'ls',
    Buffer.concat([
      frame(Buffer.from('first')),
      half(tar.subarray(0, 700)),
      frame(Buffer.alloc(0)),
      half(tar.subarray(700)),
      frame(Buffer.alloc(9)),
    ]),
  );
  agree('check', Buffer.concat([half(tar), Buffer.from('502a4d18ff000000', 'hex')]));
});

test('an escape is found in the sandbox', () => {
  const { code, stdout } = runSandboxed(['layer', 'check'], tarBytes([{ name: '../x', data: '' }]), { dist });
  assert.is(code, 1);
  assert.match(new TextDecoder().decode(stdout), /\.\.\/x/);
});

test('an argument that is not ASCII is refused before it can overrun the guest', () => {
  assert.throws(() => runSandboxed(['layer', 'ü'], new Uint8Array(), { dist }), /not ASCII/);
});

function agree(verb: string, bytes: Buffer): void {
  const native = spawnSync(helper, ['layer', verb], { input: bytes, maxBuffer: 1 << 26 });
  const sandboxed = runSandboxed(['layer', verb], bytes, { dist });
  assert.is(Buffer.from(sandboxed.stdout).toString(), native.stdout.toString());
  assert.is(sandboxed.code, native.status);
  assert.is(Buffer.from(sandboxed.stderr).toString(), native.stderr.toString());
}

test.run();
