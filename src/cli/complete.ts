/** `rootless __complete images|containers`: one name a line, for the completion scripts. */

import { imageFacts } from '../image/facts.ts';
import { findPaths } from '../paths.ts';
import { listContainers } from '../runtime/state.ts';
import { command } from './command.ts';
import { print } from './output.ts';

export default command({
  name: '__complete',
  flags: {},
  words: { usage: 'images|containers', min: 1, max: 1, complete: ['images', 'containers'] },
  run: ({ args, env }) => {
    const paths = findPaths(env);
    const names =
      args[0] === 'images'
        ? imageFacts(paths).map(({ repository, tag }) => `${repository}:${tag}`)
        : listContainers(paths).map(({ name }) => name);
    print([...new Set(names)].map((name) => `${name}\n`).join(''));
    return 0;
  },
});
