/** `rootless generate systemd`: a unit of the user's systemd that starts a container at boot. */

import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { findContainer, latestContainer, type Listed } from '../runtime/state.ts';
import { callersMode } from '../umask.ts';
import { command } from './command.ts';
import { unitOf } from './generate-unit.ts';
import { print } from './output.ts';
import { unitEnvironment } from './unit-environment.ts';
import { BadValue } from './values/bad.ts';
import { lookUp, parseEnv } from './values/env.ts';
import { parseWhole } from './values/numbers.ts';

const restarts = ['no', 'on-success', 'on-failure', 'on-abnormal', 'on-watchdog', 'on-abort', 'always'];
const seconds = { type: 'string', valueHint: 'SECONDS', parse: (text: string) => parseWhole(text, 0) } as const;
const units = { type: 'string', valueHint: 'UNIT', repeat: true } as const;

export default command({
  name: 'generate systemd',
  flags: {
    name: { type: 'boolean', alias: 'n', description: 'call the container and the unit by name, not by id' },
    new: { type: 'boolean', description: 'make a new container at each start, as it was made before' },
    files: { type: 'boolean', alias: 'f', description: 'write NAME.service into this folder and print its path' },
    'restart-policy': {
      type: 'string',
      valueHint: 'POLICY',
      parse: parseRestart,
      choices: restarts,
      description: 'when systemd starts it again (on-failure)',
    },
    'restart-sec': { ...seconds, description: 'seconds until then' },
    'start-timeout': { ...seconds, description: 'seconds that the start may take' },
    'stop-timeout': { ...seconds, description: 'seconds between its stop signal and SIGKILL' },
    time: { ...seconds, alias: 't', description: 'the same' },
    after: { ...units, description: 'start after these units' },
    wants: { ...units, description: 'start these units too' },
    requires: { ...units, description: 'only if these units start' },
    env: { type: 'string', alias: 'e', valueHint: 'NAME=VALUE', repeat: true, parse: parseEnv, description: 'a variable for rootless' },
    'container-prefix': { type: 'string', valueHint: 'TEXT', description: 'what the name of the unit begins with (container)' },
    separator: { type: 'string', valueHint: 'TEXT', description: 'between that and the name or id (-)' },
    'no-header': { type: 'boolean', description: 'leave out the comment above the unit' },
    latest: { type: 'boolean', alias: 'l', description: 'the container that was created last' },
  },
  words: { usage: 'CONTAINER', min: 0, max: 1, complete: 'container' },
  examples: [
    'rootless generate systemd --name web > ~/.config/systemd/user/web.service',
    'rootless generate systemd --new --files --name web',
  ],
  run: ({ flags, args, env }) => {
    const paths = findPaths(env);
    const container = choose(
      args[0],
      flags.latest,
      () => latestContainer(paths),
      (name) => findContainer(paths, name),
    );
    const unit = unitName(
      `${flags['container-prefix'] ?? 'container'}${flags.separator ?? '-'}${flags.name ? container.name : container.id}`,
    );
    const wish = {
      unit,
      fresh: flags.new,
      byName: flags.name,
      restart: flags['restart-policy'] ?? 'on-failure',
      restartSeconds: flags['restart-sec'],
      startTimeout: flags['start-timeout'],
      stopTimeout: flags.time ?? flags['stop-timeout'],
      after: flags.after,
      wants: flags.wants,
      requires: flags.requires,
      environment: lookUp(flags.env, env),
    };
    const header = flags['no-header']
      ? ''
      : `# ${unit}.service\n# made by "rootless generate systemd"; rootless run and start know the rest\n\n`;
    const text = header + unitOf(container, wish, unitEnvironment(paths, env), paths.data);
    if (!flags.files) print(text);
    else print(`${write(resolve(`${unit}.service`), text)}\n`);
    return 0;
  },
});

function choose(name: string | undefined, latest: boolean, newest: () => Listed, find: (name: string) => Listed): Listed {
  if (latest === (name !== undefined)) {
    throw new RootlessError({
      code: 'ARGUMENTS_WRONG',
      message: latest ? '--latest and a name exclude each other' : '"rootless generate systemd" requires exactly 1 argument',
      fix: 'rootless generate systemd CONTAINER',
    });
  }
  return name === undefined ? newest() : find(name);
}

/** systemd.unit(5): letters, digits and ":-_.\@". */
function unitName(text: string): string {
  if (/^[a-zA-Z0-9:_.\\@-]{1,247}$/.test(text)) return text;
  throw new RootlessError({
    code: 'UNIT_NAME_INVALID',
    message: `"${text}" cannot be the name of a unit`,
    fix: 'letters, digits and : - _ . \\ @ are allowed in --container-prefix and --separator',
  });
}

function parseRestart(text: string): string {
  if (restarts.includes(text)) return text;
  throw new BadValue(`${text} is not a valid restart policy`, { fix: `policies are ${restarts.join(', ')}` });
}

function write(path: string, text: string): string {
  try {
    writeFileSync(path, text, { mode: callersMode(0o644) });
    return path;
  } catch (cause) {
    throw new RootlessError({
      code: 'UNIT_UNWRITABLE',
      message: `cannot write "${path}": ${(cause as NodeJS.ErrnoException).code}`,
      cause,
    });
  }
}
