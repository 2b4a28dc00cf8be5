/** What `exec` asks a monitor for, and its words for what could not run. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HelperFailure } from '../../src/helper.ts';
import { type ExecWish, execRequest } from '../../src/runtime/exec.ts';
import { explainExecution } from '../../src/runtime/explain-exec.ts';
import { findPaths } from '../../src/paths.ts';
import type { Listed } from '../../src/runtime/state.ts';

const plain: ExecWish = { command: ['id', '-u'], interactive: false, tty: false, detach: false, env: [], privileged: false };
const own = () => ['PATH=/bin', 'A=1', 'B=1'];
const unread = () => assert.unreachable('the environment was read') as never;

test('what is not asked for is left to the monitor', () => {
  assert.equal(execRequest(plain, unread), { op: 'exec', process: { terminal: false, args: ['id', '-u'] } });
});

test('variables are added to those of the container, later ones in place of earlier ones', () => {
  const request = execRequest({ ...plain, env: ['B=2', 'C=3', 'C=4'] }, own);
  assert.equal(request.op === 'exec' && request.process.env, ['PATH=/bin', 'A=1', 'B=2', 'C=4']);
});

test('a terminal has a kind, unless the container or the user says which', () => {
  const kind = (env: readonly string[], ownEnv: readonly string[]) => {
    const request = execRequest({ ...plain, tty: true, env }, () => ownEnv);
    return request.op === 'exec' && request.process.env?.filter((entry) => entry.startsWith('TERM='));
  };
  assert.equal(kind([], []), ['TERM=xterm']);
  assert.equal(kind([], ['TERM=dumb']), ['TERM=dumb']);
  assert.equal(kind(['TERM=vt100'], ['TERM=dumb']), ['TERM=vt100']);
});

test('user, folder, background and privilege are passed on', () => {
  const request = execRequest({ ...plain, user: 'ana:29', workdir: '/tmp', detach: true, privileged: true }, unread);
  assert.ok(request.op === 'exec');
  assert.equal([request.user, request.process.cwd, request.detach, request.privileged], ['ana:29', '/tmp', true, true]);
  assert.is(request.process.noNewPrivileges, false);
  assert.is(request.process.capabilities?.effective.length, 41);
  assert.equal(request.process.capabilities?.ambient, []);
});

const container = { name: 'web', image: 'nginx' } as Listed;
const failures: readonly (readonly [Omit<HelperFailure, 'event'>, number, string, RegExp])[] = [
  [{ step: 'exec', errno: 'ENOENT', target: 'nope' }, 127, 'COMMAND_NOT_FOUND', /"nope"/],
  [{ step: 'exec', errno: 'EACCES', target: '/etc' }, 126, 'NOT_EXECUTABLE', /"\/etc"/],
  [{ step: 'exec', errno: 'ENOENT', target: '/x', message: 'its interpreter is missing' }, 127, 'INTERPRETER_MISSING', /"\/x"/],
  [{ step: 'cwd', errno: 'ENOENT', target: '/nowhere' }, 127, 'WORKDIR_UNUSABLE', /"\/nowhere"/],
  [{ step: 'cwd', errno: 'EACCES', target: '/root' }, 126, 'WORKDIR_UNUSABLE', /"\/root"/],
  [{ step: 'user', target: 'bob', message: 'no such user' }, 126, 'USER_NOT_FOUND', /"bob"/],
  [{ step: 'user', errno: 'EINVAL', target: 'uid 99999999' }, 126, 'USER_NOT_MAPPED', /99999999/],
  [{ step: 'clone', errno: 'EPERM', target: 'namespaces' }, 126, 'EXEC_FAILED', /in container "web": clone "namespaces"/],
  [{ step: 'session', message: 'the monitor ended before it answered' }, 125, 'EXEC_FAILED', /the monitor ended/],
];

for (const [failure, exit, code, words] of failures) {
  test(`${failure.step} ${failure.errno ?? ''} ends with ${exit}, ${code}`, () => {
    const error = explainExecution({ event: 'error', ...failure }, findPaths(), container, 'nope');
    assert.equal([error.exit, error.code], [exit, code]);
    assert.match(error.message, words);
  });
}

test.run();
