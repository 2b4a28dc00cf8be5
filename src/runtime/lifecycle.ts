/** A new container that is started at once: made and launched in one go, the way to a running program that is fastest. */

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatConfig } from './bundle.ts';
import { checkCaller, type RunContext } from './context.ts';
import { tellContainer } from './events.ts';
import { asideFolder, removeTree } from './folders.ts';
import { launch, type Starting, startEarly } from './launch.ts';
import type { Ties } from './run-arguments.ts';
import { type Made, makeContainer } from './make.ts';
import { clearMark } from './marks.ts';
import type { LaunchNetwork } from './network.ts';
import { earlyNetwork, mayBeginEarly } from './network-holder.ts';
import type { ContainerOptions } from './options.ts';
import { prepareLaunch } from './prepare.ts';
import { type Container, keepContainer, writeContainer } from './state.ts';
import { tracesOf, watchOver } from './traces.ts';
import { newUndo, type Undo } from './undo.ts';

/**
 * Runs a container: to its end, or until it goes on without the caller.
 * @returns its program's exit code, 128 + signal if one killed it; 0 when it goes on
 * @throws RootlessError whatever failed before the program ran; nothing is left behind then
 */
export async function run(options: ContainerOptions, context: RunContext): Promise<number> {
  const undo = newUndo();
  const always = newUndo();
  try {
    return await live(options, context, undo, always);
  } finally {
    await always.run();
    await undo.run();
  }
}

async function live(asked: ContainerOptions, context: RunContext, undo: Undo, always: Undo): Promise<number> {
  const { paths } = context;
  let release = () => {};
  const { attach } = context;
  const hidden = attach && { stdout: !attach.has('stdout'), stderr: !attach.has('stderr') };
  const ties: Ties = {
    detach: context.detach === true,
    input: asked.interactive && !context.detach && (context.attach?.has('stdin') ?? true),
    remove: asked.remove,
    detachKeys: context.detachKeys,
    sigProxy: context.sigProxy,
    preserve: context.preserve?.count,
    settled: () => release(),
    // The front has the caller's streams, all of them.
    front: context.detach || context.dryRun || hidden ? undefined : context.front,
    hidden,
  };
  let starting: Starting | undefined;
  let planned: ReturnType<typeof planEarly>;
  undo.add(() => starting?.cancel());
  const made = await makeContainer(asked, context, undo, (id, mapping, host) => {
    // With one id only, the image's user decides which.
    const later = mapping.mode === 'single' || !mayBeginEarly(asked) || context.dryRun;
    if (!later) {
      starting = startEarly(paths, id, ties, mapping.idMap, earlyNetwork(paths, asked, host));
      planned = planEarly(asked, context, starting);
    }
    // The helper forgets its state itself, unless it was killed.
    always.add(() => forgetState(join(paths.runtime, id)));
  });
  release = made.release;
  const { container, mapping } = made;
  const { id } = container;
  if (container.base.kind === 'host') always.add(() => removeTree(paths, asideFolder(paths, id), mapping.idMap));
  if (container.options.requires.length > 0 && !context.dryRun) await needOthers(container, context, undo);
  const { config, ports } = await prepareLaunch({ ...factsOf(made, context, ties, starting), planned }, context);
  if (context.dryRun) {
    context.dryRun(`${formatConfig(config, 2)}\n`);
    return 0;
  }
  context.signal?.throwIfAborted();
  checkCaller(context);
  writeContainer(paths, { ...container, ports });
  const kept = context.detach && !asked.remove ? keepContainer(paths, id) : undefined;
  context.created?.(id);
  tellContainer(paths, container, 'create');
  const outcome = await launch(paths, { id, image: asked.image, config, host: made.host }, ties, starting);
  await kept;
  if (outcome.detached) {
    always.keep();
    if (watchOver(paths, id)) undo.keep();
    return 0;
  }
  if (!asked.remove) {
    clearMark(paths, id);
    undo.keep();
  }
  return outcome.code;
}

/** Of a private network everything but `-P` is known before the image, and what serves it takes as long to begin as the rest of a start. */
function planEarly(options: ContainerOptions, context: RunContext, { serve }: Starting): Promise<LaunchNetwork> | undefined {
  if (options.network !== 'private' || options.publishAll) return undefined;
  const planned = import('./network.ts').then(({ planPrivate }) => planPrivate(options, context, serve));
  // It is waited for later; until then a failure is nobody's.
  planned.catch(() => {});
  return planned;
}

async function needOthers(container: Container, context: RunContext, undo: Undo): Promise<void> {
  const { linkRequirements, unlinkRequirements } = await import('./requires.ts');
  const { startRequired } = await import('./start.ts');
  undo.add(() => unlinkRequirements(context.paths, container));
  linkRequirements(context.paths, container);
  await startRequired(container.options.requires, context);
}

function factsOf({ container, folder, mapping, layers, host }: Made, { paths }: RunContext, ties: Ties, starting: Starting | undefined) {
  const { id, name, options, base, labels } = container;
  return {
    ...{ id, name, folder, options, base, mapping, layers, host, labels },
    filled: false,
    keepInput: options.interactive && !ties.input,
    alone: ties.detach,
    serve: starting?.serve,
    traces: tracesOf(paths, container),
  };
}

function forgetState(folder: string): void {
  if (existsSync(folder)) rmSync(folder, { recursive: true });
}
