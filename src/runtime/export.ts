/** `export`: a container's root filesystem as one tar, without what is mounted in it. */

import { RootlessError } from '../errors.ts';
import { startHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { tellContainer } from './events.ts';
import { explainArchive } from './explain-archive.ts';
import { containerFolder, type Listed } from './state.ts';

/** Writes to an open file. @returns false when nobody reads it to its end. @throws RootlessError NO_LAYERS, … */
export async function exportContainer(paths: Paths, container: Listed, output: number): Promise<boolean> {
  const { base, id, name } = container;
  if (base.kind === 'host') {
    throw new RootlessError({
      code: 'NO_LAYERS',
      exit: 1,
      message: `container "${name}" has no root filesystem of its own`,
      why: 'it was made from "host:", this machine\'s own folders',
    });
  }
  const args = ['--root', paths.runtime, 'archive', 'get', '--bundle', containerFolder(paths, id)];
  const words = ['--as', '', '--one-filesystem', '--', id, '/'];
  const result = await startHelper(paths, [...args, ...words], ['ignore', output, 'pipe']).done;
  if (result.failure?.target === 'output' && result.failure.errno === 'EPIPE') return false;
  if (result.code !== 0) throw explainArchive(result, { kind: 'container', container }, '/');
  tellContainer(paths, container, 'export');
  return true;
}
