/** What `run` and `create` have in common: images with progress, Ctrl-C until the container exists, --cidfile, --replace, --requires. */

import { RootlessError } from '../errors.ts';
import { tunProblem } from '../network/tun.ts';
import { findPaths, type Paths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import type { RunContext } from '../runtime/context.ts';
import type { ContainerOptions } from '../runtime/options.ts';
import { checkCidfile, writeCidfile } from './cidfile.ts';
import { imageProgress } from './image-progress.ts';
import { interruptible } from './interrupt.ts';
import { notice } from './notice.ts';
import type { CreateInput } from './run-options.ts';

type More = Pick<RunContext, 'dryRun'> & { readonly created: (id: string) => void };

export async function begin<T>(
  { argv, flags, given, env, front }: CreateInput,
  asked: ContainerOptions,
  work: (options: ContainerOptions, context: RunContext) => Promise<T>,
  more: More,
): Promise<T> {
  const { cidfile } = flags;
  if (cidfile !== undefined) checkCidfile(cidfile);
  const paths = findPaths(env);
  const progress = imageProgress(flags.quiet);
  try {
    if (flags.replace && !more.dryRun) await makeRoom(paths, asked.name);
    const placed = given.has('network') || given.has('net') ? asked : await settleNetwork(asked, env);
    const options = placed.requires.length === 0 ? placed : { ...placed, requires: await idsOf(paths, placed.requires) };
    return await interruptible((signal, release) =>
      work(options, {
        paths,
        line: { words: argv, folder: here() },
        searchPath: searchPath(env),
        pull: flags.pull ?? 'missing',
        platform: flags.platform,
        tlsVerify: given.has('tls-verify') ? flags['tls-verify'] : undefined,
        progress: progress.tell,
        notice,
        front,
        notifySocket: env['NOTIFY_SOCKET'],
        created: (id) => {
          // From here on signals are the container's.
          release();
          progress.close();
          if (cidfile !== undefined) writeCidfile(cidfile, id);
          more.created(id);
        },
        dryRun: more.dryRun,
        signal,
      }),
    );
  } catch (error) {
    throw asOurs(error);
  } finally {
    progress.close();
  }
}

/** A network that nobody asked for is no reason to refuse a container inside a container; ports would be. */
async function settleNetwork(options: ContainerOptions, env: NodeJS.ProcessEnv): Promise<ContainerOptions> {
  const problem = options.network === 'private' && options.ports.length === 0 && !options.publishAll ? tunProblem() : undefined;
  if (problem === undefined) return options;
  return (await import('./outer-network.ts')).withOuterNetwork(options, problem.message, env);
}

/** 1 would be taken for the program's own exit code: before it runs, everything is 125. */
function asOurs(error: unknown): unknown {
  if (!(error instanceof RootlessError) || error.exit !== 1) return error;
  const { code, message, why, fix } = error;
  return new RootlessError({ code, message, why, fix, exit: 125, cause: error });
}

function here(): string {
  try {
    return process.cwd();
  } catch {
    // It was removed under us.
    return '/';
  }
}

/** `--replace`: whoever has the name goes. */
async function makeRoom(paths: Paths, name: string | undefined): Promise<void> {
  if (name === undefined) {
    throw new RootlessError({ code: 'FLAGS_CONFLICT', message: '--replace needs --name', why: 'it removes the container of that name' });
  }
  const { idOfName } = await import('../runtime/names.ts');
  const { readContainer } = await import('../runtime/state.ts');
  const id = idOfName(paths, name);
  const found = id === undefined ? undefined : readContainer(paths, id);
  if (found === undefined) return;
  const { removeContainer } = await import('../runtime/remove.ts');
  await removeContainer(paths, found, { force: true });
}

/** @throws RootlessError CONTAINER_NOT_FOUND */
async function idsOf(paths: Paths, names: readonly string[]): Promise<string[]> {
  const { findContainer } = await import('../runtime/state.ts');
  return names.flatMap((text) => text.split(',')).map((name) => findContainer(paths, name).id);
}
