/** `rootless cp`: files between a container and this machine, or between containers. */

import { posix, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { RootlessError } from '../errors.ts';
import { findPaths, type Paths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { readyBundle } from '../runtime/bundle-ready.ts';
import { copyFiles, type End } from '../runtime/copy.ts';
import { findContainer } from '../runtime/state.ts';
import { command } from './command.ts';
import { size } from './format.ts';
import { notice } from './notice.ts';
import { Closed, warn } from './output.ts';

export default command({
  name: 'cp',
  flags: {
    archive: { type: 'boolean', alias: 'a', description: 'keep the owners of files' },
    'follow-link': { type: 'boolean', alias: 'L', description: 'copy what a link as source leads to' },
    quiet: { type: 'boolean', alias: 'q', description: 'say nothing when all went well' },
  },
  words: { usage: 'CONTAINER:PATH|PATH|- CONTAINER:PATH|PATH|-', min: 2, max: 2, complete: 'container' },
  examples: ['rootless cp web:/etc/nginx ./nginx', 'rootless cp ./site/. web:/srv', 'rootless cp web:/var/log - | tar tv'],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const [from = '', to = ''] = args;
    const [source, target] = [parseEnd(paths, from), parseEnd(paths, to)];
    refuseEnds(source, target);
    for (const end of [source, target]) {
      if (end !== '-' && end.place.kind === 'container') await readyBundle(paths, end.place.container, searchPath(env));
    }
    try {
      const put = await copyFiles(paths, source, target, { archive: flags.archive, followLink: flags['follow-link'] });
      if (put === undefined || flags.quiet) return 0;
      if (put.devices > 0) notice(`${put.devices} devices became empty files: no user namespace may make devices`);
      warn(`Successfully copied ${size(put.bytes)} to ${to === '-' || /^[^./][^/]*:/.test(to) ? to : resolve(to)}\n`);
      return 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') throw new Closed('EPIPE');
      throw error;
    }
  },
});

/** docker's rule: what begins with `/` or `.` is a path here, what has a colon names a container. */
function parseEnd(paths: Paths, text: string): End | '-' {
  if (text === '-') return '-';
  const colon = text.indexOf(':');
  if (colon === -1 || text.startsWith('/') || text.startsWith('.')) return { place: { kind: 'local' }, path: absolute(text) };
  const container = findContainer(paths, text.slice(0, colon));
  const path = text.slice(colon + 1);
  // As docker: a relative path begins at the container's root.
  return { place: { kind: 'container', container }, path: path.startsWith('/') ? path : `/${path}` };
}

/** `.` and `/` at the end mean something. */
function absolute(path: string): string {
  const whole = resolve(path);
  if (path === '.' || path.endsWith('/.')) return posix.join(whole, '/') + '.';
  return path.endsWith('/') && whole !== '/' ? `${whole}/` : whole;
}

/** @throws RootlessError COPY_ENDS */
function refuseEnds(from: End | '-', to: End | '-'): void {
  const inContainer = (end: End | '-') => end !== '-' && end.place.kind === 'container';
  if (!inContainer(from) && !inContainer(to)) {
    throw new RootlessError({
      code: 'COPY_ENDS',
      exit: 1,
      message: 'must specify at least one container source or destination',
      fix: 'rootless cp CONTAINER:PATH PATH, or the other way round',
    });
  }
  if (to !== '-' || !isatty(1)) return;
  throw new RootlessError({
    code: 'COPY_ENDS',
    exit: 1,
    message: 'refusing to write an archive to a terminal',
    fix: 'redirect it, or name a folder',
  });
}
