/** `rootless create`: a new container that is not started yet. */

import { createContainer } from '../runtime/create.ts';
import { begin } from './begin.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { createFlags } from './run-flags.ts';
import { toOptions } from './run-options.ts';

export default command({
  name: 'create',
  flags: createFlags,
  words: { usage: 'IMAGE [COMMAND] [ARG...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'image' },
  stop: true,
  examples: ['rootless create --name web -p 8080:80 nginx', 'rootless start -ai $(rootless create -it alpine)'],
  run: async (input) => {
    const container = await begin(input, toOptions(input), createContainer, { created: () => undefined });
    print(`${container.id}\n`);
    return 0;
  },
});
