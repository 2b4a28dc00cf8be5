/** The bash completion, sourced by a real bash and asked as readline asks it. */

import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bashScript } from '../../src/cli/completion-bash.ts';
import { fishScript } from '../../src/cli/completion-fish.ts';
import { readTree, type Tree } from '../../src/cli/completion-tree.ts';
import { zshScript } from '../../src/cli/completion-zsh.ts';
import { withTmp } from '../support/tmp.ts';

const tree: Tree = await readTree();
const script = bashScript(tree);

/** What bash would offer for this line; `rootless __complete` answers with two names. */
function complete(line: string): string[] {
  const driver = `
    rootless() { [[ $1 == __complete ]] && printf '%s\\n' "$2-one" localhost:5000/two:tag; }
    ${script}
    COMP_LINE=$1 COMP_POINT=\${#1} COMP_WORDS=(rootless) COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
    _rootless
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const text = execFileSync('bash', ['--norc', '-c', driver, 'bash', line], { encoding: 'utf8' });
  return text.split('\n').filter((word) => word !== '');
}

for (const [line, offered] of [
  ['rootless ru', ['run']],
  ['rootless imag', ['images', 'image']],
  ['rootless run --netw', ['--network', '--network-alias']],
  ['rootless run --network n', ['none', 'ns:', 'networks-one']],
  ['rootless network connect networks-', ['networks-one']],
  ['rootless run --network=h', ['host']],
  ['rootless run --pull n', ['never']],
  ['rootless run -e A=1 --userns k', ['keep-id']],
  ['rootless run --name x images', ['images-one']],
  ['rootless run --rm localhost:5000/t', ['5000/two:tag']],
  ['rootless run --rm localhost:5000/two:t', ['tag']],
  ['rootless --debug rm containers-', ['containers-one']],
  ['rootless container rm containers-', ['containers-one']],
  ['rootless image li', ['list']],
  ['rootless completion z', ['zsh']],
  ['rootless ps --no-', ['--no-trunc']],
  ['rootless ps --filter status=p', ['status=paused']],
  ['rootless container pr', ['prune']],
  ['rootless container prune --f', ['--force', '--filter']],
  ['rootless top containers-', ['containers-one']],
  ['rootless generate s', ['systemd']],
  ['rootless generate systemd --new containers-', ['containers-one']],
  ['rootless stats --l', ['--latest']],
  ['rootless volume rm volumes-', ['volumes-one']],
  ['rootless validate --kind image', ['image-config']],
  ['rootless nosuch --', ['--help', '--version', '--debug']],
] as const) {
  test(`"${line}" is completed with ${offered.join(', ')}`, () => assert.equal(complete(line), [...offered]));
}

test('commands of two words have functions of one in zsh', () => {
  const text = zshScript(tree);
  assert.match(text, /^__rootless_command_container_prune\(\) \{$/m);
  assert.not.match(text, /__rootless_command_\S+ \S+\(\)/);
});

test('what follows the image is completed with files', () => {
  assert.ok(complete('rootless run --rm image sh packag').includes('package.json'));
  assert.ok(complete('rootless run --env-file packag').includes('package.json'));
  assert.ok(complete('rootless validate packag').includes('package.json'));
});

test('every flag of every command is offered', () => {
  for (const { path, flags } of tree.commands) {
    const offered = complete(`rootless ${path} -`);
    for (const { words } of flags) for (const word of words) assert.ok(offered.includes(word), `${path} ${word}`);
  }
});

test('the script has no syntax error and prints nothing when sourced', () => {
  const run = spawnSync('bash', ['--norc', '-u', '-c', script], { encoding: 'utf8' });
  assert.is(run.stdout + run.stderr, '');
  assert.is(run.status, 0);
});

for (const [shell, text, check] of [
  ['zsh', zshScript(tree), '-n'],
  ['fish', fishScript(tree), '--no-execute'],
] as const) {
  test(`the ${shell} script names every command and flag`, () => {
    for (const { name, flags } of tree.commands) {
      for (const word of name.split(' ')) assert.ok(text.includes(word), name);
      for (const flag of flags) assert.ok(text.includes(flag.name), `${name} --${flag.name}`);
    }
  });

  test(`${shell}, where it is installed, finds no syntax error`, () =>
    withTmp((folder) => {
      const file = join(folder, 'script');
      writeFileSync(file, text);
      const run = spawnSync(shell, [check, file], { encoding: 'utf8' });
      if ((run.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return;
      assert.is(run.stderr, '');
      assert.is(run.status, 0);
    }));
}

test.run();
