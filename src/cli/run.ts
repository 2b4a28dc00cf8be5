/** `rootless run`: a new container in the foreground. */

import { existsSync, writeFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { run } from '../runtime/lifecycle.ts';
import type { ContainerOptions } from '../runtime/options.ts';
import { command } from './command.ts';
import { imageProgress } from './image-progress.ts';
import { interruptible } from './interrupt.ts';
import { notice } from './notice.ts';
import { print } from './output.ts';
import { runFlags } from './run-flags.ts';
import { type RunInput, toOptions } from './run-options.ts';

export default command({
  name: 'run',
  flags: runFlags,
  words: { usage: 'IMAGE [COMMAND] [ARG...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'image' },
  stop: true,
  examples: [
    'rootless run --rm -it debian bash',
    'rootless run --rm -p 8080:80 -v ./site:/usr/share/nginx/html:ro nginx',
    'rootless run --rm --network none host: make test',
  ],
  run: start,
});

async function start(input: RunInput): Promise<number> {
  const { flags, given, env } = input;
  const options = withStart(toOptions(input));
  checkTerminal(flags.interactive && flags.tty && !flags['dry-run']);
  const { cidfile } = flags;
  if (cidfile !== undefined && existsSync(cidfile)) throw cidfileExists(cidfile);
  const progress = imageProgress(flags.quiet);
  try {
    return await interruptible((signal, release) =>
      run(options, {
        paths: findPaths(env),
        searchPath: searchPath(env),
        pull: flags.pull ?? 'missing',
        platform: flags.platform,
        tlsVerify: given.has('tls-verify') ? flags['tls-verify'] : undefined,
        progress: progress.tell,
        notice,
        created: (id) => {
          // From here on signals are the container's.
          release();
          progress.close();
          if (cidfile !== undefined) writeCidfile(cidfile, id);
        },
        dryRun: flags['dry-run'] ? print : undefined,
        signal,
      }),
    );
  } finally {
    progress.close();
  }
}

/** The embedded program says how long its start took; no other image is told the time at which it was asked for. */
function withStart(options: ContainerOptions): ContainerOptions {
  if (!options.image.startsWith('embedded:')) return options;
  return { ...options, env: [`ROOTLESS_STARTED_MS=${performance.timeOrigin}`, ...options.env] };
}

function checkTerminal(wanted: boolean): void {
  if (!wanted || isatty(0)) return;
  throw new RootlessError({
    code: 'INPUT_NOT_TTY',
    message: 'the input device is not a TTY',
    why: '-i and -t together make a terminal of standard input, and it is a file or a pipe',
    fix: 'leave out -t',
  });
}

function writeCidfile(path: string, id: string): void {
  try {
    writeFileSync(path, id, { flag: 'wx' });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw cidfileExists(path);
    throw new RootlessError({ code: 'CIDFILE_UNWRITABLE', message: `cannot write the container id to "${path}": ${code}`, cause });
  }
}

function cidfileExists(path: string): RootlessError {
  return new RootlessError({
    code: 'CIDFILE_EXISTS',
    message: `container id file "${path}" exists`,
    why: 'it may belong to a container that still runs',
    fix: `rm ${path}`,
  });
}
