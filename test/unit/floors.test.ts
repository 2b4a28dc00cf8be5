/** Who may import whom: the floors of docs/architecture.md, kept by reading every import of src/. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const source = resolve('src');

/** Rooms by floor: a room may import itself and rooms on floors strictly below its own. */
const floors: readonly (readonly string[])[] = [
  ['chain', 'errno', 'errors', 'programs', 'tty', 'umask'],
  ['liveness', 'paths'],
  ['wasm', 'helper', 'front'],
  ['userns', 'cgroup', 'image', 'network'],
  ['runtime'],
  ['build', 'doctor'],
  ['cli', 'docker-api', 'cri', 'index'],
  ['main'],
];

/** One type for every front door: its shapes (never its code) are known on the floor below it too. */
const typesOnly = 'runtime/options.ts';

type Import = { readonly from: string; readonly to: string; readonly typeOnly: boolean };

test('every file of src/ is in a known room', () => {
  const unknown = files(source).filter((path) => floorOf(room(path)) === undefined);
  assert.equal(unknown.map(short), []);
});

test('a room imports only rooms below it', () => {
  const wrong = allImports().filter(({ from, to, typeOnly }) => {
    if (room(from) === room(to)) return false;
    if (typeOnly && short(to) === typesOnly) return false;
    return (floorOf(room(to)) ?? 0) >= (floorOf(room(from)) ?? 0);
  });
  assert.equal(
    wrong.map(({ from, to }) => `${short(from)} imports ${short(to)}`),
    [],
  );
});

test('below the command line nothing prints, reads argv, or exits', () => {
  const below = files(source).filter((path) => (floorOf(room(path)) ?? 0) < (floorOf('cli') ?? 0));
  const wrong = below.filter((path) => /\bconsole\.|process\.(argv|exit\b|exitCode|stdout|stderr)/.test(code(path)));
  assert.equal(wrong.map(short), []);
});

/** The doctor says what is wrong with them; a unit passes them on. Neither acts on them. */
const talkOfVariables = ['doctor/session.ts', 'cli/unit-environment.ts'];

test('only paths.ts reads path variables, and only main.ts exits', () => {
  const readers = files(source).filter(
    (path) => short(path) !== 'paths.ts' && /['"]XDG_(DATA|RUNTIME|CACHE)_|\bhomedir\(/.test(code(path)),
  );
  assert.equal(
    readers.map(short).filter((path) => !talkOfVariables.includes(path)),
    [],
  );
  const exits = files(source).filter((path) => short(path) !== 'main.ts' && /process\.(exit\b|exitCode)/.test(code(path)));
  assert.equal(exits.map(short), []);
});

test('only cli/ui.ts imports consola', () => {
  const users = files(source).filter((path) => /from 'consola/.test(code(path)));
  assert.equal(
    users.map(short).filter((path) => path !== 'cli/ui.ts'),
    [],
  );
});

test('every import of ours names its file with .ts', () => {
  const wrong = files(source).flatMap((path) => specifiers(path).filter(({ to }) => to.startsWith('.') && !/\.(ts|js|json)$/.test(to)));
  assert.equal(wrong, []);
});

function allImports(): Import[] {
  return files(source).flatMap((from) =>
    specifiers(from)
      .filter(({ to }) => to.startsWith('.') && to.endsWith('.ts'))
      .map(({ to, typeOnly }) => ({ from, to: resolve(dirname(from), to), typeOnly })),
  );
}

function specifiers(path: string): { readonly to: string; readonly typeOnly: boolean }[] {
  const found = code(path).matchAll(/(?:^|\n)\s*(?:import|export)\s(type\s)?[^'"]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g);
  return [...found].map((match) => ({ to: match[2] ?? match[3] ?? '', typeOnly: match[1] !== undefined }));
}

function files(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return files(path);
    return name.endsWith('.ts') ? [path] : [];
  });
}

function room(path: string): string {
  return (short(path).split('/')[0] ?? '').replace(/\.ts$/, '');
}

function floorOf(name: string): number | undefined {
  const floor = floors.findIndex((rooms) => rooms.includes(name));
  return floor === -1 ? undefined : floor;
}

/** Without comments, which may speak of what the code must not do. */
function code(path: string): string {
  return readFileSync(path, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '');
}

function short(path: string): string {
  return relative(source, path);
}

test.run();
