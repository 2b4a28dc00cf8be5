/** `rootless inspect`: everything known of containers and images, as JSON with docker's names where the meaning is the same. */

import { RootlessError } from '../errors.ts';
import { findPaths, type Paths } from '../paths.ts';
import { findContainer } from '../runtime/state.ts';
import { command } from './command.ts';
import { formatFlag, render, type Row } from './format.ts';
import { inspectContainer } from './inspect-container.ts';
import { inspectImage } from './inspect-image.ts';
import { print } from './output.ts';
import { report } from './ui.ts';
import { BadValue } from './values/bad.ts';

export default command({
  name: 'inspect',
  flags: {
    type: {
      type: 'string',
      valueHint: 'container|image',
      parse: parseType,
      choices: ['container', 'image'],
      description: 'look only among these',
    },
    format: { ...formatFlag, alias: 'f', description: '"json", or a template: {{.Id}}, {{json .Config}}' },
  },
  words: { usage: 'NAME|ID [NAME|ID...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ["rootless inspect --format '{{.State.Status}}' web", 'rootless inspect --type image alpine'],
  run: ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const found: Row[] = [];
    const failures: unknown[] = [];
    for (const name of args) {
      try {
        found.push(inspect(paths, name, flags.type));
      } catch (error) {
        failures.push(error);
      }
    }
    // docker: what was found is shown even if something else was not.
    if (flags.format === undefined) print(`${JSON.stringify(found, null, 2)}\n`);
    else print(render(flags.format, found, 'list'));
    return Math.max(0, ...failures.map((error) => report(error, debug)));
  },
});

function parseType(text: string): 'container' | 'image' {
  if (text === 'container' || text === 'image') return text;
  throw new BadValue(`"${text}" is neither "container" nor "image"`);
}

function inspect(paths: Paths, name: string, type: 'container' | 'image' | undefined): Row {
  if (type !== 'image') {
    try {
      return inspectContainer(paths, findContainer(paths, name));
    } catch (error) {
      if (type === 'container' || !(error instanceof RootlessError) || error.code !== 'CONTAINER_NOT_FOUND') throw error;
    }
  }
  const image = inspectImage(paths, name);
  if (image !== undefined) return image;
  throw new RootlessError({
    code: type === 'image' ? 'IMAGE_NOT_FOUND' : 'NOTHING_FOUND',
    message: type === 'image' ? `no such image: "${name}"` : `no such container or image: "${name}"`,
    fix: type === 'image' ? 'rootless images' : 'rootless ps -a, rootless images',
  });
}
