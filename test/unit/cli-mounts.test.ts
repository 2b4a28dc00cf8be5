/** `-v`, `--mount` and `--tmpfs`: docker's syntax, docker's refusals. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BadValue } from '../../src/cli/values/bad.ts';
import { parseCsv } from '../../src/cli/values/csv.ts';
import { parseMount } from '../../src/cli/values/mount.ts';
import { parseTmpfs } from '../../src/cli/values/tmpfs.ts';
import { parseVolume } from '../../src/cli/values/volume.ts';
import { parseVolumesFrom } from '../../src/cli/values/volumes-from.ts';

const bind = (source: string, target: string, more: object = {}) => ({
  kind: 'bind',
  source,
  target,
  readOnly: false,
  options: [],
  createSource: true,
  ...more,
});
const volume = (target: string, more: object = {}) => ({ kind: 'volume', target, readOnly: false, ...more });
const tmpfs = (target: string, ...options: string[]) => ({ kind: 'tmpfs', target, options });
const here = process.cwd();

for (const [text, value] of [
  ['/a:/b', bind('/a', '/b')],
  ['/a:/b:ro', bind('/a', '/b', { readOnly: true })],
  ['/a:/b:rw,z', bind('/a', '/b')],
  ['/a:/b:ro,Z', bind('/a', '/b', { readOnly: true })],
  ['/a:/b:rshared,noexec', bind('/a', '/b', { options: ['rshared', 'noexec'] })],
  ['/a/:/b/../c/', bind('/a', '/c')],
  ['./a:/b', bind(`${here}/a`, '/b')],
  ['.:/b', bind(here, '/b')],
  ['data:/b', volume('/b', { name: 'data' })],
  ['data:/b:ro', volume('/b', { name: 'data', readOnly: true })],
  ['/b', volume('/b')],
  ['/a:/b:rro', bind('/a', '/b', { readOnly: true, options: ['rro'] })],
  ['/a:/b:U', bind('/a', '/b', { chown: true })],
  ['/a:/b:O', bind('/a', '/b', { overlay: {} })],
  ['/a:/b:O,upperdir=/u/../up,workdir=/w', bind('/a', '/b', { overlay: { upper: '/up', work: '/w' } })],
  ['data:/b:nocopy,noexec', volume('/b', { name: 'data', options: ['noexec'], noCopy: true })],
  ['data:/b:U,z', volume('/b', { name: 'data', chown: true })],
  ['data:/b:copy', volume('/b', { name: 'data' })],
] as const) {
  test(`-v takes ${text}`, () => assert.equal(parseVolume(text), value));
}

for (const [text, message] of [
  ['', /empty section/],
  ['a:b:c:d', /invalid volume specification/],
  [':/a', /empty section between colons/],
  ['/a:', /empty section between colons/],
  ['/a:b', /'b' mount path must be absolute/],
  ['b', /'b' mount path must be absolute/],
  ['a/b:/c', /"a\/b" includes invalid characters for a local volume name/],
  ['~/b:/c', /invalid characters/],
  ['x:/c', undefined],
  ['/a:/', /destination can't be '\/'/],
  ['/a:/b/..', /destination can't be '\/'/],
  ['/a:/b:rox', /invalid mode: rox/],
  ['/a:/b:ro,rw', /invalid mode/],
  ['/a:/b:shared,private', /invalid mode/],
  ['data:/b:rshared', /invalid mode/],
  ['/a:/b:nocopy', /invalid mode/],
  ['/a:/b:idmap', /id-mapped mounts are not possible/],
  ['data:/b:idmap=uids=0-1-1', /id-mapped mounts are not possible/],
  ['/a:/b:U,O', /invalid mode/],
  ['/a:/b:ro,O', /invalid mode/],
  ['/a:/b:O,upperdir=/u', /invalid mode/],
  ['/a:/b:upperdir=/u,workdir=/w', /invalid mode/],
  ['/a:/b:O,upperdir=u,workdir=/w', /invalid mode/],
] as const) {
  test(`-v ${message === undefined ? 'takes' : 'refuses'} "${text}"`, () => {
    if (message === undefined) assert.is(parseVolume(text).kind, 'volume');
    else assert.throws(() => parseVolume(text), message);
  });
}

const strict = { createSource: false };

for (const [text, value] of [
  ['type=bind,source=/a,target=/b', bind('/a', '/b', strict)],
  ['type=bind,src=/a,dst=/b,readonly', bind('/a', '/b', { ...strict, readOnly: true })],
  ['type=bind,src=/a,destination=/b,ro=true', bind('/a', '/b', { ...strict, readOnly: true })],
  ['type=bind,src=/a,dst=/b,readonly=false', bind('/a', '/b', strict)],
  ['type=bind,src=/a,dst=/b,bind-propagation=rslave', bind('/a', '/b', { ...strict, options: ['rslave'] })],
  ['type=bind,src=/a,dst=/b,bind-nonrecursive', bind('/a', '/b', { ...strict, options: ['bind'] })],
  ['type=bind,src=./a,dst=/b,consistency=cached', bind(`${here}/a`, '/b', strict)],
  ['type=bind,"src=/a,with comma",dst=/b', bind('/a,with comma', '/b', strict)],
  ['TYPE=bind,src=/a,dst=/b', bind('/a', '/b', strict)],
  ['type=volume,source=data,target=/b', volume('/b', { name: 'data' })],
  ['source=data,target=/b', volume('/b', { name: 'data' })],
  ['type=volume,target=/b', volume('/b')],
  ['type=tmpfs,target=/b', tmpfs('/b')],
  ['type=tmpfs,target=/b,tmpfs-size=64m,tmpfs-mode=1777', tmpfs('/b', 'size=67108864', 'mode=1777')],
  ['type=tmpfs,target=/b,readonly', tmpfs('/b', 'ro')],
  ['type=tmpfs,target=/b,tmpcopyup,exec', tmpfs('/b', 'tmpcopyup', 'exec')],
  ['type=tmpfs,target=/b,notmpcopyup', tmpfs('/b')],
  ['type=devpts,target=/b,mode=620,max=10', { ...tmpfs('/b', 'mode=620', 'max=10'), filesystem: 'devpts' }],
  ['type=ramfs,target=/b', { ...tmpfs('/b'), filesystem: 'ramfs' }],
  ['type=bind,src=/a,dst=/b,bind-recursive=disabled', bind('/a', '/b', { ...strict, options: ['bind'] })],
  ['type=bind,src=/a,dst=/b,ro,bind-recursive=readonly', bind('/a', '/b', { ...strict, readOnly: true, options: ['rro'] })],
  ['type=bind,src=/a,dst=/b,rw,U', bind('/a', '/b', { ...strict, chown: true })],
  ['type=bind,src=/a,dst=/b,relabel=shared', bind('/a', '/b', strict)],
  ['type=volume,src=data,dst=/b,volume-subpath=/x/y', volume('/b', { name: 'data', subpath: 'x/y' })],
  ['type=volume,src=data,dst=/b,volume-nocopy,chown=true', volume('/b', { name: 'data', noCopy: true, chown: true })],
  [
    'type=volume,dst=/b,volume-label=a=1,volume-label=c,volume-opt=type=tmpfs,"volume-opt=o=size=1m,mode=700"',
    volume('/b', { labels: { a: '1', c: '' }, driverOptions: { type: 'tmpfs', o: 'size=1m,mode=700' } }),
  ],
  ['type=image,src=alpine,dst=/b', { kind: 'image', source: 'alpine', target: '/b', readOnly: true }],
  ['type=image,src=alpine,dst=/b,rw,subpath=etc', { kind: 'image', source: 'alpine', target: '/b', readOnly: false, subpath: 'etc' }],
] as const) {
  test(`--mount takes ${text}`, () => assert.equal(parseMount(text), value));
}

for (const [text, message] of [
  ['', /unexpected key|must be/],
  ['type=bind', /target is required/],
  ['type=bind,source=/a,target=', /target is required/],
  ['type=bind,target=/b', /source is required/],
  ['type=bind,source=a,target=/b', /'a' mount path must be absolute/],
  ['type=bind,source=/a,target=b', /'b' mount path must be absolute/],
  ['foo=1', /unexpected key 'foo' in 'foo=1'/],
  ['__proto__=1', /unexpected key/],
  ['type=nosuch,target=/b', /mount type unknown: "nosuch"/],
  ['type', /must be a key=value pair/],
  ['type=bind,src=/a,dst=/b,readonly=maybe', /invalid value for readonly: maybe/],
  ['type=bind,src=/a,dst=/b,bind-propagation=up', /invalid propagation mode/],
  ['type=bind,src=/a,dst=/b,tmpfs-size=1m', /cannot mix 'tmpfs-size' with mount type 'bind'/],
  ['type=tmpfs,dst=/b,bind-propagation=shared', /cannot mix/],
  ['type=tmpfs,src=/a,dst=/b', /no source/],
  ['type=tmpfs,dst=/b,tmpfs-mode=9', /invalid value for tmpfs-mode/],
  ['type=tmpfs,dst=/b,tmpfs-size=x', /invalid size/],
  ['type=volume,src=a/b,dst=/c', /invalid characters/],
  ['type=volume,src=a,dst=/c,volume-subpath=../x', /must be a relative path within the volume/],
  ['type=volume,src=a,dst=/c,volume-subpath=x/../../y', /must be a relative path within the volume/],
  ['type=volume,src=a,dst=/c,volume-driver=nfs', /plugin "nfs" not found/],
  ['type=tmpfs,dst=/c,volume-nocopy', /cannot mix 'volume-nocopy' with mount type 'tmpfs'/],
  ['type=volume,src=a,dst=/c,idmap', /id-mapped mounts are not possible/],
  ['type=bind,src=/a,dst=/c,bind-recursive=readonly', /requires option readonly/],
  ['type=bind,src=/a,dst=/c,bind-recursive=deep', /invalid value for bind-recursive/],
  ['type=bind,src=/a,dst=/c,ro,rw', /contradict/],
  ['type=bind,src=/a,dst=/c,relabel=all', /invalid value for relabel/],
  ['type=image,dst=/c', /source is required/],
  ['type=devpts,dst=/c,max=x', /invalid value for max/],
  ['type=bind,src=/a,dst=/', /destination can't be/],
  ['type=bind,"src=/a,dst=/b', /quoted-field/],
] as const) {
  test(`--mount refuses "${text}"`, () => {
    assert.throws(
      () => parseMount(text),
      (error: unknown) => error instanceof BadValue && message.test(error.message),
    );
  });
}

for (const [line, fields] of [
  ['a', ['a']],
  ['a,b', ['a', 'b']],
  ['a,', ['a', '']],
  ['"a,b",c', ['a,b', 'c']],
  ['"a""b"', ['a"b']],
  ['""', ['']],
] as const) {
  test(`the fields of ${line}`, () => assert.equal(parseCsv(line), fields));
}

for (const [text, value] of [
  ['/run', tmpfs('/run')],
  ['/run:rw,size=64m,mode=1777', tmpfs('/run', 'rw', 'size=64m', 'mode=1777')],
  ['/run:', tmpfs('/run')],
  ['/run:noexec,uid=1000', tmpfs('/run', 'noexec', 'uid=1000')],
  ['/run:tmpcopyup,noswap', tmpfs('/run', 'tmpcopyup', 'noswap')],
  ['/run:notmpcopyup', tmpfs('/run')],
] as const) {
  test(`--tmpfs takes ${text}`, () => assert.equal(parseTmpfs(text), value));
}

for (const text of ['', 'run', '/', '/run:nope', '/run:size=x', '/run:mode=999', '/run:bind']) {
  test(`--tmpfs refuses "${text}"`, () => {
    assert.throws(
      () => parseTmpfs(text),
      (error: unknown) => error instanceof BadValue,
    );
  });
}

for (const [text, value] of [
  ['web', { container: 'web' }],
  ['web:ro', { container: 'web', access: 'ro' }],
  ['web:rw,z', { container: 'web', access: 'rw' }],
] as const) {
  test(`--volumes-from takes ${text}`, () => assert.equal(parseVolumesFrom(text), value));
}

for (const text of ['', ':ro', 'web:', 'web:ro,rw', 'web:noexec']) {
  test(`--volumes-from refuses "${text}"`, () => {
    assert.throws(
      () => parseVolumesFrom(text),
      (error: unknown) => error instanceof BadValue,
    );
  });
}

test.run();
