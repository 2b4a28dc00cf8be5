/** What a container has changed against its image: docker's A, C and D. */

import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { layersBelow } from './bundle-ready.ts';
import { explainPack } from './explain-pack.ts';
import { containerFolder, type Listed } from './state.ts';

export type Change = { readonly kind: 'A' | 'C' | 'D'; readonly path: string };

/** In the order of paths. @throws RootlessError NO_LAYERS, CHANGES_UNREADABLE */
export async function changesOf(paths: Paths, container: Listed): Promise<Change[]> {
  const result = await runHelper(paths, ['changes', ...treeArgs(paths, container), container.id]);
  if (result.code !== 0) throw explainPack(result, container);
  const changes = result.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(parseChange);
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** How the helper finds a container's own files and those below them. */
export function treeArgs(paths: Paths, container: Listed): string[] {
  const below = layersBelow(paths, container);
  return ['--bundle', containerFolder(paths, container.id), ...(below === undefined ? [] : ['--below', JSON.stringify(below)])];
}

function parseChange(line: string): Change {
  const { kind, path } = JSON.parse(line) as Partial<Change>;
  if ((kind === 'A' || kind === 'C' || kind === 'D') && typeof path === 'string') return { kind, path };
  throw new RootlessError({ code: 'CHANGES_UNREADABLE', exit: 1, message: `the helper says "${line}"` });
}
