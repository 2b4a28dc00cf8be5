/** `rootless logout`: forgets credentials. */

import { RootlessError } from '../errors.ts';
import { eraseAll, eraseCredentials } from '../image/credentials.ts';
import { parsePlace } from '../image/login.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { defaultRegistry } from './login.ts';
import { print } from './output.ts';
import { registryFlags } from './registry-flags.ts';

export default command({
  name: 'logout',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'of all registries' },
    authfile: registryFlags.authfile,
  },
  words: { usage: '[REGISTRY]', min: 0, max: 1 },
  examples: ['rootless logout quay.io', 'rootless logout --all'],
  run: async ({ flags: { all, authfile }, args, env }) => {
    const paths = findPaths(env);
    const files = authfile === undefined ? paths.registry.authFiles : [authfile];
    if (all) {
      if (args.length > 0) throw new RootlessError({ code: 'FLAGS_CONFLICT', message: '--all goes with no registry' });
      await eraseAll(files);
      print('Removed login credentials for all registries\n');
      return 0;
    }
    const place = parsePlace(args[0] ?? defaultRegistry(paths));
    const name = [place.registry, place.repository].filter(Boolean).join('/');
    const changed = await eraseCredentials(files, place);
    print(changed.length > 0 ? `Removing login credentials for ${name}\n` : `Not logged in to ${name}\n`);
    return 0;
  },
});
