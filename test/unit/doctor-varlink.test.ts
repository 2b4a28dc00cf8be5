/** The varlink client of the doctor, against a server of the test's own. */

import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { callVarlink, parseAnswer } from '../../src/doctor/varlink.ts';
import { withTmp } from '../support/tmp.ts';

/** What a server that says these chunks is understood to say, and what it was asked. */
async function ask(chunks: readonly string[]) {
  return withTmp(async (folder) => {
    const path = join(folder, 'socket');
    let asked = '';
    const server = createServer((wire) =>
      wire.on('data', (data) => {
        asked += data.toString();
        if (asked.endsWith('\0')) {
          for (const chunk of chunks) wire.write(chunk);
          wire.end();
        }
      }),
    );
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const answer = await callVarlink(path, 'org.varlink.service.GetInfo', 30_000);
    await new Promise((resolve) => server.close(resolve));
    return { asked, answer };
  });
}

test('a call is one JSON object and a NUL; the answer may come in pieces', async () => {
  const { asked, answer } = await ask(['{"parameters":{"ver', 'sion":"257"}}\0']);
  assert.is(asked, '{"method":"org.varlink.service.GetInfo","parameters":{}}\0');
  assert.equal(answer, { parameters: { version: '257' } });
});

test('an error of the service is told', async () => {
  assert.equal((await ask(['{"error":"org.varlink.service.MethodNotFound"}\0'])).answer, { error: 'org.varlink.service.MethodNotFound' });
});

for (const [what, chunks] of [
  ['that hangs up', []],
  ['that ends in the middle', ['{"parameters":']],
  ['that speaks something else', ['HTTP/1.1 400 Bad Request\r\n\0']],
  ['without end', ['x'.repeat(1 << 17)]],
] as const)
  test(`a service ${what} is none`, async () => assert.is((await ask(chunks)).answer, undefined));

test('nobody there is no answer', async () =>
  withTmp(async (folder) => assert.is(await callVarlink(join(folder, 'none'), 'a.b.C', 30_000), undefined)));

test('what is not of the form is left out', () => {
  assert.equal(parseAnswer('{"error":7,"parameters":null}'), {});
  assert.is(parseAnswer('null'), undefined);
});

test.run();
