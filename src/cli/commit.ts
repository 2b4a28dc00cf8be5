/** `rootless commit`: an image of what a container has changed. */

import { writeFileSync } from 'node:fs';
import type { ManifestFormat } from '../image/convert.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { readyBundle } from '../runtime/bundle-ready.ts';
import { commitContainer } from '../runtime/commit.ts';
import { findContainer } from '../runtime/state.ts';
import { callersMode } from '../umask.ts';
import { command } from './command.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { BadValue } from './values/bad.ts';
import { parseChange, parseEpoch } from './values/change.ts';

export default command({
  name: 'commit',
  flags: {
    author: { type: 'string', alias: 'a', valueHint: 'NAME', description: 'who made it ("Ana <ana@example.org>")' },
    message: { type: 'string', alias: 'm', valueHint: 'TEXT', description: 'kept in the history of the image' },
    change: {
      type: 'string',
      alias: 'c',
      valueHint: 'INSTRUCTION',
      repeat: true,
      parse: parseChange,
      description: 'CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR of a Dockerfile',
    },
    pause: { type: 'boolean', alias: 'p', default: true, description: 'let it stand still meanwhile (where it can be paused)' },
    format: {
      type: 'string',
      alias: 'f',
      valueHint: 'oci|docker',
      parse: parseFormat,
      choices: ['oci', 'docker'],
      description: 'of the manifest',
    },
    iidfile: { type: 'string', valueHint: 'FILE', description: 'write the image id to this file' },
    quiet: { type: 'boolean', alias: 'q', description: 'as always: nothing but the image id is printed' },
  },
  words: { usage: 'CONTAINER [NAME[:TAG]]', min: 1, max: 2, complete: 'container' },
  examples: ['rootless commit web web:patched', 'rootless commit -c \'CMD ["nginx", "-t"]\' -m \'add a page\' web web:2'],
  run: async ({ flags, args, given, env }) => {
    const paths = findPaths(env);
    const container = findContainer(paths, args[0] ?? '');
    await readyBundle(paths, container, searchPath(env));
    const id = await interruptible((signal) =>
      commitContainer(paths, container, {
        name: args[1],
        author: flags.author,
        message: flags.message,
        changes: flags.change,
        pause: given.has('pause') ? flags.pause : undefined,
        format: flags.format ?? 'oci',
        epoch: parseEpoch(env['SOURCE_DATE_EPOCH']),
        signal,
      }),
    );
    if (flags.iidfile !== undefined) writeFileSync(flags.iidfile, id, { mode: callersMode(0o666) });
    print(`${id}\n`);
    return 0;
  },
});

function parseFormat(text: string): ManifestFormat {
  if (text === 'oci' || text === 'docker') return text;
  throw new BadValue('must be oci or docker');
}
