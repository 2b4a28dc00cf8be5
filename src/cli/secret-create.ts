/** `rootless secret create`: keeps a secret from a file, standard input or a variable. */

import { readFileSync } from 'node:fs';
import { fileReason } from '../errno.ts';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { createSecret, secretLimit } from '../runtime/secrets.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { parseLabel } from './values/env.ts';

export default command({
  name: 'secret create',
  flags: {
    env: { type: 'boolean', description: 'FILE is the name of a variable' },
    label: { type: 'string', alias: 'l', valueHint: 'KEY[=VALUE]', repeat: true, parse: parseLabel, description: 'attach a label' },
    replace: { type: 'boolean', description: 'replace one of this name' },
  },
  words: { usage: 'NAME FILE|-', min: 2, max: 2, complete: 'file' },
  examples: ['rootless secret create db-password ./password.txt', 'printf %s "$TOKEN" | rootless secret create token -'],
  run: ({ flags, args: [name = '', source = ''], env }) => {
    const data = flags.env ? Buffer.from(variable(source, env)) : read(source);
    const secret = createSecret(findPaths(env), name, data, Object.fromEntries(flags.label), flags.replace);
    print(`${secret.id}\n`);
    return 0;
  },
});

function read(source: string): Buffer {
  try {
    // One byte more than allowed is enough to know.
    return readFileSync(source === '-' ? 0 : source).subarray(0, secretLimit);
  } catch (cause) {
    throw new RootlessError({
      code: 'SECRET_UNREADABLE',
      message: `cannot read the secret from "${source}": ${fileReason(cause)}`,
      cause,
    });
  }
}

function variable(name: string, env: NodeJS.ProcessEnv): string {
  const value = env[name];
  if (value !== undefined) return value;
  throw new RootlessError({ code: 'SECRET_UNREADABLE', message: `cannot read the secret: there is no variable "${name}"` });
}
