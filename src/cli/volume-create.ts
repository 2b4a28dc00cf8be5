/** `rootless volume create`: a named volume. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { tellEvent } from '../runtime/events.ts';
import { newId } from '../runtime/ids.ts';
import { checkVolumeOptions } from '../runtime/volume-options.ts';
import { changeVolumes, checkVolumeName, makeVolume, newRecord, readVolume } from '../runtime/volume-store.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { BadValue } from './values/bad.ts';
import { parseLabel } from './values/env.ts';

export default command({
  name: 'volume create',
  flags: {
    driver: { type: 'string', alias: 'd', valueHint: 'DRIVER', parse: parseDriver, choices: ['local'], description: 'only local' },
    label: { type: 'string', alias: 'l', valueHint: 'KEY[=VALUE]', repeat: true, parse: parseLabel, description: 'attach a label' },
    opt: {
      type: 'string',
      alias: 'o',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: parseOption,
      description: 'type=tmpfs|none, device=FOLDER, o=bind,ro,size=64m',
    },
    name: { type: 'string', valueHint: 'NAME', hidden: true, description: 'older way to name it' },
    ignore: { type: 'boolean', description: 'no error if there is one of this name' },
  },
  words: { usage: '[NAME]', min: 0, max: 1 },
  examples: ['rootless volume create data', 'rootless volume create -o type=none -o o=bind -o device=/srv/site site'],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const given = args[0] ?? flags.name;
    const name = checkVolumeName(given ?? newId());
    const options = Object.fromEntries(flags.opt);
    checkVolumeOptions(options);
    const labels = Object.fromEntries(flags.label);
    const made = await changeVolumes(paths, () => {
      const existing = readVolume(paths, name);
      if (existing === undefined) {
        makeVolume(paths, newRecord(name, given === undefined, labels, options));
        return true;
      }
      // docker: creating the same one again is fine, another one of the same name is not.
      if (!flags.ignore && !same(existing.options, options)) throw exists(name);
      return false;
    });
    if (made) tellEvent(paths, { type: 'volume', action: 'create', id: name, attributes: { driver: 'local' } });
    print(`${name}\n`);
    return 0;
  },
});

function parseDriver(text: string): 'local' {
  if (text === 'local' || text === '') return 'local';
  throw new BadValue(`error looking up volume plugin ${text}: plugin "${text}" not found`, { fix: 'there is only "local"' });
}

function parseOption(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  return equals === -1 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

function same(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const sorted = (options: Readonly<Record<string, string>>) => JSON.stringify(Object.entries(options).sort());
  return sorted(one) === sorted(other);
}

function exists(name: string): RootlessError {
  return new RootlessError({
    code: 'VOLUME_EXISTS',
    message: `a volume named "${name}" already exists with other options`,
    fix: `rootless volume rm ${name}, or another name`,
  });
}
