/** Help is read in a terminal: every command and flag is there, and nothing is wider than 80 columns. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commands, families } from '../../src/cli/commands.ts';
import type { Flags } from '../../src/cli/flags.ts';
import { commandHelp, familyHelp, rootHelp } from '../../src/cli/help.ts';

const entries = Object.entries(commands);

function assertReadable(text: string): void {
  for (const line of text.split('\n')) {
    assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
    assert.is(line, line.trimEnd());
  }
  assert.match(text, /^Usage: rootless/);
  assert.ok(text.endsWith('\n') && !text.endsWith('\n\n'));
}

test('the first page names every command of one word with its summary, and the families of the others', () => {
  const text = rootHelp();
  assertReadable(text);
  for (const [name, { summary, hidden }] of entries) {
    const shown = hidden !== true && !name.includes(' ');
    assert.is(text.includes(`  ${name} `) && text.includes(summary), shown, name);
  }
});

for (const [name, entry] of entries) {
  test(`the help of ${name} documents every flag`, async () => {
    const { default: command } = await entry.load();
    assert.is(command.name, name);
    const text = commandHelp(command);
    assertReadable(text);
    const letters = new Set<string>();
    for (const [flag, { alias, description, hidden }] of Object.entries(command.flags as Flags)) {
      assert.is(new RegExp(`(^|[ ,])--${flag}( |$)`, 'm').test(text), hidden !== true, flag);
      assert.match(description, /^\S.*[^.]$/);
      if (alias === undefined) continue;
      assert.match(alias, /^[a-zA-Z]$/);
      assert.not.ok(letters.has(alias), `-${alias} twice`);
      letters.add(alias);
    }
  });
}

test('every docker spelling leads to a command', () => {
  for (const [family, members] of Object.entries(families)) {
    assertReadable(familyHelp(family));
    for (const target of Object.values(members)) assert.ok(commands[target], `${family} → ${target}`);
  }
});

test('the tables of names have no prototype', () => {
  for (const word of ['constructor', '__proto__', 'toString']) {
    assert.is(commands[word], undefined);
    assert.is(families[word], undefined);
  }
});

test.run();
