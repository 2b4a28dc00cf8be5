/** A new container that is not started: its folder, description and volumes. */

import { defaultsOf } from './base.ts';
import { backMounts } from './container-mounts.ts';
import type { RunContext } from './context.ts';
import { tellContainer } from './events.ts';
import { makeContainer } from './make.ts';
import { withUser } from './mapping.ts';
import { clearMark } from './marks.ts';
import type { ContainerOptions } from './options.ts';
import { buildProcess } from './process.ts';
import { linkRequirements } from './requires.ts';
import { type Container, keepContainer, writeContainer } from './state.ts';
import { newUndo } from './undo.ts';

/** @throws RootlessError what is wrong with the request, as far as that can be known before a start; nothing is left behind then */
export async function createContainer(asked: ContainerOptions, context: RunContext): Promise<Container> {
  const { paths } = context;
  const undo = newUndo();
  try {
    const { container, folder, mapping, layers, host, release } = await makeContainer(asked, context, undo, () => {});
    const { id, options, base } = container;
    const defaults = withUser(defaultsOf(base, paths), options, host);
    buildProcess(options, defaults, '');
    linkRequirements(paths, container);
    await backMounts({ paths, id, folder, options, layers, mapping, user: options.user || defaults.user, resolving: context });
    context.signal?.throwIfAborted();
    context.created?.(id);
    writeContainer(paths, container);
    await keepContainer(paths, id);
    clearMark(paths, id);
    undo.keep();
    release();
    tellContainer(paths, container, 'create');
    return container;
  } finally {
    await undo.run();
  }
}
