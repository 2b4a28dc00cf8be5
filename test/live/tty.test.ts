/** A terminal: size, resize, Ctrl-C, end of file, and the user's own terminal as it was afterwards. */

import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { inShell, onTerminal, run } from '../support/container.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox', 'python'] as const;

live("the program has a terminal of the caller's size", needs, async () => {
  const terminal = onTerminal([], ['sh', '-c', 'tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo three']);
  assert.is(await terminal.ended, 0);
  assert.match(terminal.screen, /\/dev\/(pts\/0|console)\r\n24 80\r\nthree/);
});

live('a resize reaches the program', needs, async () => {
  const terminal = onTerminal([], ['sh', '-c', 'trap "stty size" WINCH; echo ready; while :; do sleep 0.1; done']);
  await terminal.shows(/ready/);
  terminal.resize(40, 132);
  await terminal.shows(/40 132/);
  terminal.type('\x03');
  assert.is(await terminal.ended, 130);
});

live('Ctrl-C goes to the program, not to rootless', needs, async () => {
  const terminal = onTerminal([], ['sh', '-c', 'trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.1; done']);
  await terminal.shows(/ready/);
  terminal.type('\x03');
  assert.is(await terminal.ended, 5);
  assert.match(terminal.screen, /caught/);
});

live("what is typed is echoed once, by the container's terminal", needs, async () => {
  const terminal = onTerminal([], ['sh', '-c', 'echo ready; read -r line; echo "<$line>"']);
  await terminal.shows(/ready/);
  terminal.type('hello\r');
  assert.is(await terminal.ended, 0);
  assert.match(terminal.screen, /^ready\r\nhello\r\n<hello>\r\n$/);
});

live('Ctrl-D ends a shell', needs, async () => {
  const terminal = onTerminal([], ['sh']);
  await terminal.shows(/# /);
  terminal.type('exit 7\r');
  assert.is(await terminal.ended, 7);
});

const usual = { echo: true, canonical: true, signals: true };
const raw = { echo: false, canonical: false, signals: false };
/** Runs rootless as the child of a shell, which says how it ended and then keeps the terminal open. */
const wrapped = '"$@"; echo "ended $?"; read -r line';

live('the terminal is raw during the run and as before after it', needs, async () => {
  const terminal = inShell(wrapped, [], ['sh', '-c', 'echo ready; read -r line; exit 3']);
  await terminal.shows(/ready/);
  assert.equal(await terminal.modes(), raw);
  terminal.type('\r');
  await terminal.shows(/ended 3/);
  assert.equal(await terminal.modes(), usual);
  terminal.type('\r');
  assert.is(await terminal.ended, 0);
});

for (const [signal, expected] of [
  ['SIGTERM', /ended 4/],
  ['SIGKILL', /ended 137/],
] as const) {
  live(`${signal} to rootless leaves the terminal as it was`, needs, async () => {
    const terminal = inShell(wrapped, [], ['sh', '-c', 'trap "exit 4" TERM; echo ready; while :; do sleep 0.1; done']);
    await terminal.shows(/ready/);
    const shellPid = await terminal.pid();
    const [child] = readFileSync(`/proc/${shellPid}/task/${shellPid}/children`, 'utf8').split(' ');
    process.kill(Number(child), signal);
    await terminal.shows(expected);
    await eventually(async () => assert.equal(await terminal.modes(), usual));
    terminal.type('\r');
    assert.is(await terminal.ended, 0);
  });
}

live('-t without a terminal still gives the program one', needs, async () => {
  const { code, stdout } = await run(['-t'], ['sh', '-c', 'test -t 1 && echo yes']);
  assert.is(code, 0);
  assert.match(stdout, /yes/);
});

live('-it where stdin is no terminal is refused as docker does', needs, async () => {
  const { code, stderr } = await run(['-it'], ['true']);
  assert.is(code, 125);
  assert.match(stderr, /terminal|TTY/);
});

live.run();
