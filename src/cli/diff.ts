/** `rootless diff`: what a container has changed in its filesystem. */

import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { readyBundle } from '../runtime/bundle-ready.ts';
import { changesOf } from '../runtime/diff.ts';
import { findContainer } from '../runtime/state.ts';
import { command } from './command.ts';
import { formatFlag, render } from './format.ts';
import { print } from './output.ts';
import { plain } from './paint.ts';

export default command({
  name: 'diff',
  flags: {
    format: { ...formatFlag, description: '"json", or a template: {{.Kind}} {{.Path}}' },
  },
  words: { usage: 'CONTAINER', min: 1, max: 1, complete: 'container' },
  examples: ['rootless diff web', "rootless diff --format '{{.Path}}' web"],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const container = findContainer(paths, args[0] ?? '');
    await readyBundle(paths, container, searchPath(env));
    const changes = await changesOf(paths, container);
    if (flags.format !== undefined) {
      print(
        render(
          flags.format,
          changes.map(({ kind, path }) => ({ Kind: kind, Path: path })),
          'list',
        ),
      );
    } else print(changes.map(({ kind, path }) => `${kind} ${plain(path).replaceAll('\n', '\\n')}\n`).join(''));
    return 0;
  },
});
