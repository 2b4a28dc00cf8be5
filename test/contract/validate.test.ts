/** One validator in three builds: native, wasm-pack and wasip1 must print the same bytes for the same document. */

import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { validate as rawValidate } from '../../helper-rs/pkg/rootless_web.js';
import { runSandboxed } from '../../src/wasm/sandbox.ts';
import { rules, validate } from '../../src/wasm/validate.ts';
import { type DocumentKind, documentKinds, type Problem } from '../../src/wasm/validator.ts';
import { dist, helper } from '../support/checkout.ts';
import { badFixtures, type Fixture, goodFixtures } from './fixtures.ts';

const good = goodFixtures();
const bad = badFixtures();

type Answer = { readonly code: number | null; readonly stdout: string };

for (const kind of documentKinds) {
  test(`native, wasm-pack and wasip1 say nothing about good documents: ${kind}`, () => {
    for (const fixture of of(kind, good)) compare(fixture, 0);
  });

  test(`native, wasm-pack and wasip1 say the same about bad documents: ${kind}`, () => {
    for (const fixture of of(kind, bad)) {
      const problems: readonly Problem[] = compare(fixture, undefined);
      assert.equal(
        problems.map(({ rule, path }) => `${rule} ${path}`),
        fixture.breaks,
        fixture.name,
      );
    }
  });
}

test('every rule is broken by a bad document', () => {
  const broken = new Set(
    bad.flatMap(({ kind, breaks }) => breaks.flatMap((one) => [`any ${one.split(' ')[0]}`, `${kind} ${one.split(' ')[0]}`])),
  );
  const missing = rules({ dist }).filter(({ kind, rule }) => !broken.has(`${kind} ${rule}`));
  assert.equal(missing, []);
});

test('a document with text of any script, or none, is the same in all builds', () => {
  for (const text of [
    '{"ociVersion":"1.0.2","root":{"path":"røøt/\u{1f9ea}"},"hostname":"höst\\u0001"}',
    '\u0000',
    '"\\ud800"',
    '\ufeff{}',
  ]) {
    compare({ name: JSON.stringify(text), kind: 'config', text, breaks: [] }, undefined);
  }
});

test('bytes that are not UTF-8 are a problem of the document, natively and in the sandbox', () => {
  const bytes = Buffer.from('7b226f6369ff227d', 'hex');
  const native = spawnSync(helper, ['validate', 'config'], { input: bytes });
  const sandboxed = runSandboxed(['validate', 'config'], bytes, { dist });
  assert.is(native.status, 1);
  assert.is(sandboxed.code, 1);
  assert.is(Buffer.from(sandboxed.stdout).toString(), native.stdout.toString());
});

test('wrong usage exits with 2 natively and in the sandbox', () => {
  for (const args of [[], ['no-kind'], ['config', 'a', 'b'], ['config', '/nowhere/config.json']]) {
    assert.is(native(args, '').code, 2, args.join(' '));
    assert.is(sandbox(args, '').code, 2, args.join(' '));
  }
});

/** All three builds; the problems if they agree. `code` is checked when given, else it follows from the problems. */
function compare({ name, kind, text }: Fixture, code: number | undefined): readonly Problem[] {
  const expected = native([kind], text);
  const problems = validate(kind, text, { dist });
  assert.is(`${rawValidate(kind, text)}\n`, expected.stdout, `wasm-pack differs: ${name}`);
  assert.equal(sandbox([kind], text), expected, `wasip1 differs: ${name}`);
  assert.equal(JSON.parse(expected.stdout), problems, name);
  assert.is(expected.code, code ?? (problems.some(({ level }) => level === 'error') ? 1 : 0), `${name}: ${expected.stdout}`);
  return problems;
}

function native(args: readonly string[], text: string): Answer {
  const { status, stdout } = spawnSync(helper, ['validate', ...args], { input: text, encoding: 'utf8', maxBuffer: 1 << 26 });
  return { code: status, stdout };
}

function sandbox(args: readonly string[], text: string): Answer {
  const { code, stdout } = runSandboxed(['validate', ...args], new TextEncoder().encode(text), { dist });
  return { code, stdout: new TextDecoder().decode(stdout) };
}

function of(kind: DocumentKind, fixtures: readonly Fixture[]): readonly Fixture[] {
  const found = fixtures.filter((fixture) => fixture.kind === kind);
  assert.ok(found.length > 0, `no fixture for ${kind}`);
  return found;
}

test.run();
