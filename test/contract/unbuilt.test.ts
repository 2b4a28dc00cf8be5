/** A checkout without its WebAssembly: said with the fix, by both loaders. In a file of its own, since what was loaded once stays. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { runSandboxed } from '../../src/wasm/sandbox.ts';
import { validate } from '../../src/wasm/validate.ts';
import { dist } from '../support/checkout.ts';

const unbuilt = { dist: '/nowhere/dist' };
const named = (code: string) => (error: unknown) => error instanceof RootlessError && error.code === code && error.fix === 'npm run build';

test('a validator that was not built is named with its fix, and a later attempt with the right folder works', () => {
  assert.throws(() => validate('config', '{}', unbuilt), named('VALIDATOR_MISSING'));
  assert.ok(validate('config', '{}', { dist }).length > 0);
});

test('a sandbox that was not built is named with its fix, and a later attempt with the right folder works', () => {
  assert.throws(() => runSandboxed(['validate', 'config'], new Uint8Array(), unbuilt), named('SANDBOX_MISSING'));
  assert.is(runSandboxed(['validate', 'config'], new Uint8Array(), { dist }).code, 1);
});

test.run();
