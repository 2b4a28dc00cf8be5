/** `rootless secret rm`: forgets secrets. Containers that run keep what they were given. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { findSecret, listSecrets, removeSecret, type Secret } from '../runtime/secrets.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { report } from './ui.ts';

export default command({
  name: 'secret rm',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'all secrets' },
    ignore: { type: 'boolean', alias: 'i', description: 'one that is not there is no error' },
  },
  words: { usage: 'SECRET [SECRET...]', min: 0, max: Number.POSITIVE_INFINITY },
  examples: ['rootless secret rm token'],
  run: ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    if (!flags.all && args.length === 0) throw nothing();
    let code = 0;
    const forget = (secret: Secret) => {
      removeSecret(paths, secret);
      print(`${secret.id}\n`);
    };
    if (flags.all) listSecrets(paths).forEach(forget);
    for (const name of flags.all ? [] : args) {
      try {
        forget(findSecret(paths, name));
      } catch (error) {
        if (!(flags.ignore && error instanceof RootlessError && error.code === 'SECRET_NOT_FOUND')) code = report(error, debug);
      }
    }
    return code;
  },
});

function nothing(): RootlessError {
  return new RootlessError({
    code: 'ARGUMENTS_WRONG',
    message: '"rootless secret rm" requires at least 1 argument',
    fix: 'rootless secret rm SECRET [SECRET...]',
  });
}
