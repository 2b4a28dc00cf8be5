/** Starts the helper on a bundle, passes signals on, and turns its answer into an exit code or an error. */

import type { Socket } from 'node:net';
import { RootlessError } from '../errors.ts';
import { type HelperProcess, type HelperResult, runHelper, type IdMap, startHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import type { Host } from '../userns/host.ts';
import type { RunContext } from './context.ts';
import type { OciConfig } from './oci.ts';
import type { ContainerOptions } from './options.ts';
import { abandoned } from './marks.ts';
import { containerFolder } from './state.ts';

const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

export type Ended = { readonly code: number; readonly oom: boolean };

/** A helper that makes the container's user namespace, and reads the bundle when it is told to. */
export type Starting = {
  readonly helper: HelperProcess;
  /** The bundle stands. */
  readonly go: () => void;
  /** There will be none. */
  readonly cancel: () => void;
};

/**
 * Starts the helper while the bundle is still to be made: writing id maps takes two set-uid programs several milliseconds, in
 * which this side finds the image and writes the configuration.
 */
export function startEarly(paths: Paths, id: string, options: ContainerOptions, idMap: IdMap): Starting {
  const helper = start(paths, id, options, ['--idmap', JSON.stringify(idMap), '--wait']);
  const line = helper.child.stdio[4] as Socket;
  // A helper that failed closes its end; what happened is in its events.
  line.on('error', () => {});
  helper.done.catch(() => {});
  return { helper, go: () => void line.write('g'), cancel: () => void line.destroy() };
}

function start(paths: Paths, id: string, options: ContainerOptions, more: readonly string[]): HelperProcess {
  const folder = containerFolder(paths, id);
  const rm = options.remove ? ['--rm'] : [];
  const args = ['--root', paths.runtime, 'run', ...rm, '--parent-fd', '4', ...more, '--bundle', folder, id];
  return startHelper(paths, args, [options.interactive ? 'inherit' : 'ignore', 'inherit', 'inherit', 'parent']);
}

export async function launch(
  id: string,
  options: ContainerOptions,
  config: OciConfig,
  host: Host,
  starting: Starting | undefined,
  { paths }: RunContext,
): Promise<Ended> {
  starting?.go();
  const { child, done } = starting?.helper ?? start(paths, id, options, []);
  // A key press reaches the whole foreground group, the helper too: it knows who sent what, and drops our copy.
  const pass = (name: NodeJS.Signals) => void child.kill(name);
  for (const name of forwarded) process.on(name, pass);
  const swept = sweepAbandoned(paths);
  try {
    const result = await done;
    if (wasKilled(result)) await runHelper(paths, ['--root', paths.runtime, 'delete', '--force', id]);
    return await judge(result, options, config, host, paths);
  } finally {
    await swept;
    for (const name of forwarded) process.removeListener(name, pass);
  }
}

/** A helper that ends by itself says how; one that said nothing left its state behind. */
function wasKilled({ events }: HelperResult): boolean {
  return !events.some(({ event }) => event === 'exit' || event === 'error');
}

async function judge(result: HelperResult, options: ContainerOptions, config: OciConfig, host: Host, paths: Paths): Promise<Ended> {
  const end = result.events.find((event) => event.event === 'exit');
  if (end) return { code: result.code, oom: end.oom === true };
  if (result.failure === undefined) throw helperDied(result.code);
  const { explain } = await import('./explain.ts');
  const { gatherFacts } = await import('./explain-facts.ts');
  throw explain(result.failure, gatherFacts(paths, host, { image: options.image, config }));
}

function helperDied(code: number): RootlessError {
  return new RootlessError({
    code: 'HELPER_DIED',
    message: 'the process that watched the container is gone, and the container with it',
    why: code > 128 ? `signal ${code - 128} ended it` : `it ended with code ${code} and said nothing`,
  });
}

/** Beside the start, so that it costs the container nothing; usually there is nothing to do. */
async function sweepAbandoned(paths: Paths): Promise<void> {
  const ids = abandoned(paths);
  if (ids.length === 0) return;
  const { sweep } = await import('./sweep.ts');
  await sweep(paths, ids);
}
