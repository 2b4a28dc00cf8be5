/** registries.conf: the TOML it is written in, mirrors, blocked and insecure registries, short names. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { endpointsFor, locateForPush } from '../../src/image/mirrors.ts';
import { parseReference } from '../../src/image/reference.ts';
import { readRegistriesConf } from '../../src/image/registries-conf.ts';
import { fullNames } from '../../src/image/short-names.ts';
import { parseToml } from '../../src/image/toml.ts';
import { TomlError } from '../../src/image/toml-scanner.ts';
import { findPaths, type RegistryEnvironment } from '../../src/paths.ts';

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

for (const [text, value] of [
  ['', {}],
  ['# a comment\n\na = 1 # another', { a: 1 }],
  ['a = "x\\t\\"y\\u00e9\\U0001F600"', { a: 'x\t"yé😀' }],
  ["a = 'C:\\dir'", { a: 'C:\\dir' }],
  ['a = """\nfirst\nsecond \\\n   joined"""', { a: 'first\nsecond joined' }],
  ["a = '''\nx'y\n'''", { a: "x'y\n" }],
  ['a = [1, 2,\n # why\n 3,\n]', { a: [1, 2, 3] }],
  ['a = {x = 1, "y z" = [true]}', { a: { x: 1, 'y z': [true] } }],
  ['a.b.c = false\na.b.d = 0x1f', { a: { b: { c: false, d: 31 } } }],
  ['[a.b]\nx = 1\n[a]\ny = 1_000', { a: { b: { x: 1 }, y: 1000 } }],
  ['[[r]]\nx = 1\n[[r.m]]\ny = 2\n[[r.m]]\ny = 3\n[[r]]\nx = 4', { r: [{ x: 1, m: [{ y: 2 }, { y: 3 }] }, { x: 4 }] }],
  ['[[r]]\n[r.t]\nx = 1', { r: [{ t: { x: 1 } }] }],
  ['"" = 1\r\n"a.b" = -1.5e3', { '': 1, 'a.b': -1500 }],
  ['__proto__ = 1\nconstructor = 2', JSON.parse('{"__proto__":1,"constructor":2}')],
  ['day = 1979-05-27T07:32:00Z', { day: '1979-05-27T07:32:00Z' }],
] as const) {
  test(`TOML ${JSON.stringify(text)} is read`, () => assert.equal(plain(parseToml(text)), value));
}

for (const [text, line] of [
  ['a', 1],
  ['a =', 1],
  ['a = 1 b = 2', 1],
  ['\na = 1\na = 2', 3],
  ['[t]\n[t]', 2],
  ['a = "x\ny"', 1],
  ['a = [1, 2', 1],
  ['a = {x = 1', 1],
  ['a = {x = 1}\n[a.b]', 2],
  ['a = [1]\n[[a]]', 2],
  ['a = 1\na.b = 2', 2],
  ['a = yes', 1],
  ['a = "\\q"', 1],
  ['a = "\\U00110000"', 1],
  ['= 1', 1],
  ['[a', 1],
] as const) {
  test(`TOML ${JSON.stringify(text)} is wrong in line ${line}`, () => {
    assert.throws(
      () => parseToml(text),
      (error: unknown) => error instanceof TomlError && error.line === line,
    );
  });
}

/** Files below a home, by name: `registries.conf`, `registries.conf.d/x.conf`. */
function withConf(files: Readonly<Record<string, string>>, body: (environment: RegistryEnvironment) => void): void {
  const home = mkdtempSync(join(tmpdir(), 'conf-'));
  try {
    const folder = join(home, '.config/containers');
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const { registry } = findPaths({ HOME: home, XDG_RUNTIME_DIR: home });
    // What this machine has in /etc is not what is tested.
    const own = (names: readonly string[]) => names.filter((name) => name.startsWith(home));
    body({ ...registry, registriesFiles: own(registry.registriesFiles), registriesFolders: own(registry.registriesFolders) });
  } finally {
    rmSync(home, { recursive: true });
  }
}

const places = (environment: RegistryEnvironment, name: string) =>
  endpointsFor(parseReference(name), environment).map(({ registry, repository, insecure, mirror }) =>
    [`${registry}/${repository}`, insecure && 'insecure', mirror && 'mirror'].filter(Boolean).join(' '),
  );

test('without any file a name leads where it says, and a short one to docker.io', () =>
  withConf({}, (environment) => {
    assert.equal(places(environment, 'quay.io/a/b:1'), ['quay.io/a/b']);
    assert.equal(
      fullNames(parseReference('alpine:3'), environment).map(({ name }) => name),
      ['docker.io/library/alpine:3'],
    );
  }));

/** The example of the manual page. */
const example = `
unqualified-search-registries = ["example.com"]

[[registry]]
prefix = "example.com/foo"
insecure = false
blocked = false
location = "internal-registry-for-example.com/bar"

[[registry.mirror]]
location = "example-mirror-0.local/mirror-for-foo"

[[registry.mirror]]
location = "example-mirror-1.local/mirrors/foo"
insecure = true

[[registry]]
location = "registry.com"

[[registry.mirror]]
location = "mirror.registry.com"
`;

test('the example of the manual page is followed', () =>
  withConf({ 'registries.conf': example }, (environment) => {
    assert.equal(places(environment, 'example.com/foo/image:latest'), [
      'example-mirror-0.local/mirror-for-foo/image mirror',
      'example-mirror-1.local/mirrors/foo/image insecure mirror',
      'internal-registry-for-example.com/bar/image',
    ]);
    assert.equal(places(environment, 'example.com/foobar'), ['example.com/foobar']);
    assert.equal(places(environment, 'registry.com/image'), ['mirror.registry.com/image mirror', 'registry.com/image']);
    const push = locateForPush(parseReference('example.com/foo/image'), environment);
    assert.equal([push.registry, push.repository], ['example.com', 'foo/image']);
  }));

test('mirrors may be for digests or for tags alone', () =>
  withConf(
    {
      'registries.conf': `
[[registry]]
prefix = "a.com"
mirror-by-digest-only = true
[[registry.mirror]]
location = "m.com"
[[registry]]
prefix = "b.com"
[[registry.mirror]]
location = "t.com"
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "d.com"
pull-from-mirror = "digest-only"
`,
    },
    (environment) => {
      const digest = `@sha256:${'a'.repeat(64)}`;
      assert.equal(places(environment, 'a.com/x:1'), ['a.com/x']);
      assert.equal(places(environment, `a.com/x${digest}`), ['m.com/x mirror', 'a.com/x']);
      assert.equal(places(environment, 'b.com/x:1'), ['t.com/x mirror', 'b.com/x']);
      assert.equal(places(environment, `b.com/x${digest}`), ['d.com/x mirror', 'b.com/x']);
    },
  ));

test('the longest prefix decides, a star stands for hosts below, and what is blocked is refused', () =>
  withConf(
    {
      'registries.conf': `
[[registry]]
prefix = "*.example.com"
insecure = true
[[registry]]
prefix = "bad.example.com"
blocked = true
[[registry]]
prefix = "bad.example.com/good"
location = "fine.com/really"
`,
    },
    (environment) => {
      assert.equal(places(environment, 'a.b.example.com:5000/x'), ['a.b.example.com:5000/x insecure']);
      assert.equal(places(environment, 'example.com/x'), ['example.com/x']);
      assert.equal(places(environment, 'bad.example.com/good/x'), ['fine.com/really/x']);
      for (const look of [endpointsFor, locateForPush]) {
        assert.throws(
          () => look(parseReference('bad.example.com/x'), environment),
          (error: { code?: string }) => error.code === 'REGISTRY_BLOCKED',
        );
      }
    },
  ));

test('drop-in files win over the main one, rule by rule and alias by alias', () =>
  withConf(
    {
      'registries.conf':
        'unqualified-search-registries = ["one.com"]\n[aliases]\n"a" = "x.com/a"\n"b" = "x.com/b"\n[[registry]]\nlocation = "r.com"\ninsecure = true\n',
      'registries.conf.d/10.conf': 'unqualified-search-registries = ["two.com", "three.com"]\n[aliases]\n"b" = ""\n"c" = "y.com/c"\n',
      'registries.conf.d/20.conf': '[[registry]]\nlocation = "r.com"\n',
      'registries.conf.d/30.ignored': 'not toml',
    },
    (environment) => {
      const conf = readRegistriesConf(environment);
      assert.equal(conf.search, ['two.com', 'three.com']);
      assert.equal(
        [...conf.aliases],
        [
          ['a', 'x.com/a'],
          ['c', 'y.com/c'],
        ],
      );
      assert.equal(places(environment, 'r.com/x'), ['r.com/x']);
      const full = (name: string) => fullNames(parseReference(name), environment).map((reference) => reference.name);
      assert.equal(full('a:2'), ['x.com/a:2']);
      assert.equal(full('b'), ['two.com/b:latest', 'three.com/b:latest']);
      assert.equal(full('team/app'), ['two.com/team/app:latest', 'three.com/team/app:latest']);
      assert.equal(full('r.com/a'), ['r.com/a:latest']);
    },
  ));

test('enforcing short names refuses to guess', () =>
  withConf({ 'registries.conf': 'unqualified-search-registries = ["a.com", "b.com"]\nshort-name-mode = "enforcing"\n' }, (environment) => {
    assert.throws(
      () => fullNames(parseReference('x'), environment),
      (error: { code?: string; fix?: string }) => error.code === 'SHORT_NAME_AMBIGUOUS' && error.fix?.includes('b.com/x') === true,
    );
  }));

test('the lists of version 1 are understood', () =>
  withConf(
    {
      'registries.conf':
        '[registries.search]\nregistries = ["s.com"]\n[registries.insecure]\nregistries = ["i.com:5000"]\n[registries.block]\nregistries = ["b.com"]\n',
    },
    (environment) => {
      assert.equal(readRegistriesConf(environment).search, ['s.com']);
      assert.equal(places(environment, 'i.com:5000/x'), ['i.com:5000/x insecure']);
      assert.throws(
        () => places(environment, 'b.com/x'),
        (error: { code?: string }) => error.code === 'REGISTRY_BLOCKED',
      );
    },
  ));

for (const [text, why] of [
  ['[[registry]]\nlocation = 5', /"location" is not a string/],
  ['[[registry]]\ninsecure = true', /neither prefix nor location/],
  ['short-name-mode = "sometimes"', /none of enforcing/],
  ['unqualified-search-registries = "a.com"', /not a list/],
  ['x = [', /line 1/],
] as const) {
  test(`the configuration ${JSON.stringify(text)} is refused by file and reason`, () =>
    withConf({ 'registries.conf': text }, (environment) => {
      assert.throws(
        () => readRegistriesConf(environment),
        (error: { code?: string; message: string; why?: string }) =>
          error.code === 'REGISTRIES_CONF_INVALID' && error.message.includes('registries.conf"') && why.test(error.why ?? ''),
      );
    }));
}

test.run();
