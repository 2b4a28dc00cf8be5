/** `rootless volume inspect`: everything known of volumes. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { findVolume, listVolumes } from '../runtime/volume-store.ts';
import { command } from './command.ts';
import { formatFlag, render, type Row } from './format.ts';
import { print } from './output.ts';
import { report } from './ui.ts';
import { inspectVolume } from './volume-row.ts';

export default command({
  name: 'volume inspect',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'all volumes' },
    format: { ...formatFlag, alias: 'f', description: '"json", or a template: {{.Mountpoint}}' },
  },
  words: { usage: 'VOLUME [VOLUME...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'volume' },
  examples: ["rootless volume inspect --format '{{.Mountpoint}}' data"],
  run: ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    if (args.length === 0 && !flags.all) throw nothingNamed();
    const found: Row[] = [];
    const failures: unknown[] = [];
    for (const name of flags.all ? listVolumes(paths).map((volume) => volume.name) : args) {
      try {
        found.push(inspectVolume(paths, findVolume(paths, name)));
      } catch (error) {
        failures.push(error);
      }
    }
    // docker: what was found is shown even if something else was not.
    if (flags.format === undefined) print(`${JSON.stringify(found, null, 4)}\n`);
    else print(render(flags.format, found, 'array'));
    return Math.max(0, ...failures.map((error) => report(error, debug) && 1));
  },
});

function nothingNamed(): RootlessError {
  return new RootlessError({
    code: 'ARGUMENTS_WRONG',
    message: '"rootless volume inspect" requires at least 1 argument',
    fix: 'rootless volume inspect VOLUME [VOLUME...]',
  });
}
