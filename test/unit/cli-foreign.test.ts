/** What docker has and rootless has not: a way on for each, and nothing that exists by now. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { commands, families } from '../../src/cli/commands.ts';
import { foreignCommands, foreignFlags, withWayOn } from '../../src/cli/foreign.ts';
import run from '../../src/cli/run.ts';
import { RootlessError } from '../../src/errors.ts';

test('what rootless has is not foreign', () => {
  const ours = [...Object.keys(commands), ...Object.keys(families)];
  assert.equal(
    [...foreignCommands.keys()].filter((name) => ours.includes(name)),
    [],
  );
  assert.equal(
    [...foreignFlags.keys()].filter((name) => name in run.flags),
    [],
  );
});

test("a flag of docker's gets a way on instead of the nearest flag", () => {
  const typed = new RootlessError({ code: 'UNKNOWN_FLAG', message: 'unknown flag: --gpus', fix: 'did you mean "--cpus"?' });
  const error = withWayOn(typed, ['run', '--gpus', 'all', 'x']);
  assert.match(error.fix ?? '', /--device/);
  assert.equal([error.code, error.message, error.exit], ['UNKNOWN_FLAG', 'unknown flag: --gpus', 125]);
});

test('a flag that another command has gets the way to that one', () => {
  const typed = new RootlessError({ code: 'UNKNOWN_FLAG', message: 'unknown flag: --dns' });
  assert.match(withWayOn(typed, ['network', 'create', '--dns', '10.0.0.1', 'x']).fix ?? '', /rootless run --dns/);
  assert.is(withWayOn(typed, ['pull', '--dns', '10.0.0.1', 'x']).fix, undefined);
});

test("a command of docker's gets a way on, a typing error keeps its own", () => {
  const unknown = (name: string) =>
    withWayOn(new RootlessError({ code: 'UNKNOWN_COMMAND', message: `unknown command: rootless ${name}`, fix: 'did you mean it?' }), [
      name,
    ]);
  assert.match(unknown('compose').fix ?? '', /\.container file/);
  assert.match(foreignFlags.get('link') ?? '', /--network-alias/);
  assert.is(unknown('rum').fix, 'did you mean it?');
});

test.run();
