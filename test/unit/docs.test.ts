/** Documents that must not lag behind the code: error codes, commands, annotations, scripts. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const read = (path: string) => readFileSync(path, 'utf8');
const sources = files('src').map(read).join('\n');

/** Names in capitals that are not codes of errors: other people's codes and variables. */
const foreign =
  /^(XDG|ROOTLESS|SCMP|CAP|ERR|HPE|EAI|HTTPS?|NO|DOCKER|REQUEST|SECCOMP_RET|DBUS|MAX|COMP|CONTAINERS|SOURCE|LISTEN|SSH|TERM|NOTIFY|SUDO|KUBERNETES)_/;

test('every error code is explained in docs/troubleshooting.md', () => {
  const page = read('docs/troubleshooting.md');
  const codes = new Set([...sources.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)].map((match) => match[1] ?? ''));
  const missing = [...codes].filter((code) => (!foreign.test(code) || code === 'NOTHING_FOUND') && !page.includes(`\`${code}\``));
  assert.equal(missing, []);
});

test('no error code is explained that does not exist', () => {
  const explained = [...read('docs/troubleshooting.md').matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)].map((match) => match[1] ?? '');
  const foreignNames = ['XDG_RUNTIME_DIR', 'HTTPS_PROXY'];
  assert.equal(
    explained.filter((code) => !sources.includes(`'${code}'`) && !foreignNames.includes(code)),
    [],
  );
});

test('every command is in the README', () => {
  const commands = [...read('src/cli/commands.ts').matchAll(/^ {2}([a-z]+): \{/gm)].map((match) => match[1] ?? '');
  assert.ok(commands.length > 8);
  const table = read('README.md');
  assert.equal(
    commands.filter((name) => !new RegExp(`^\\|.*\`[^\`]*\\b${name}\\b`, 'm').test(table)),
    [],
  );
});

test('every annotation that a bundle is given is in the contract', () => {
  const runtime = files('src/runtime').map(read).join('\n');
  const used = new Set([...runtime.matchAll(/io\.rootless\.[a-z][a-z-]*/g)].map((match) => match[0]));
  const documented = read('docs/contract.md');
  assert.equal(
    [...used].filter((name) => !documented.includes(`\`${name}\``)),
    [],
  );
});

test('every step and every verb of the helper is in the contract', () => {
  const helper = files('helper-rs/cli/src', '.rs').map(read).join('\n');
  const steps = new Set(
    [...helper.matchAll(/(?:Failure::(?:new|because)\(|STEP: &str = |\.during\()\s*"([a-z-]+)"/g)].map((match) => match[1] ?? ''),
  );
  const verbs = [...read('helper-rs/cli/src/verbs/mod.rs').matchAll(/^ {8}"([a-z]+)" => (?!features::(?:version|help))/gm)].map(
    (match) => match[1] ?? '',
  );
  assert.ok(steps.size > 25 && verbs.length > 20);
  const documented = read('docs/contract.md');
  const missing = [...steps, ...verbs].filter((word) => !new RegExp(`[\`\\s|]${word}[\`\\s\\\\|]`).test(documented));
  assert.equal(missing, []);
});

test('every script that the README names is in package.json', () => {
  const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts);
  const named = [...read('README.md').matchAll(/npm run ([a-z:]+)/g)].map((match) => match[1] ?? '');
  assert.equal(
    named.filter((name) => !scripts.includes(name)),
    [],
  );
});

test('links between documents lead to files', () => {
  const pages = ['README.md', 'CHANGELOG.md', ...readdirSync('docs').map((name) => join('docs', name))];
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#:]+)\)/g)]
      .map((match) => join(page, '..', match[1] ?? ''))
      .filter((path) => statSync(path, { throwIfNoEntry: false }) === undefined),
  );
  assert.equal(broken, []);
});

function files(folder: string, ending = '.ts'): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return files(path, ending);
    return name.endsWith(ending) ? [path] : [];
  });
}

test.run();
