/** Starts the helper on a bundle, passes signals on, and turns its answer into an exit code or an error. */

import type { Socket } from 'node:net';
import { RootlessError } from '../errors.ts';
import { earlyLine, type Front } from '../front.ts';
import { type HelperEvent, type HelperFailure, type HelperProcess, runHelper, type IdMap, startHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import type { Host } from '../userns/host.ts';
import { abandoned } from './marks.ts';
import type { Holder } from './network-holder.ts';
import type { OciConfig } from './oci.ts';
import { hear, order, orderEarly } from './front-launch.ts';
import { runArguments, type Ties } from './run-arguments.ts';

const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

/** `detached`: it runs on without the caller. */
export type Outcome = { readonly detached: true } | { readonly detached: false; readonly code: number };

/** A helper that makes the container's user namespace, and reads the bundle when it is told to. */
export type Starting = {
  /** Not there if it is the front. */
  readonly helper?: HelperProcess;
  /** This serves the network: it begins while the bundle is made. */
  readonly serve: (companion: readonly string[]) => void;
  /** The bundle stands. */
  readonly go: () => void;
  /** There will be none. */
  readonly cancel: () => void;
};

/** `holder`: the namespace is made below that of user-defined networks; `own`: with a network namespace that is going to be served. */
export type EarlyNetwork = { readonly holder: Holder | undefined; readonly own: boolean };

/**
 * Starts the helper while the bundle is still to be made: writing id maps takes two set-uid programs several milliseconds, in
 * which this side finds the image and writes the configuration.
 */
export function startEarly(paths: Paths, id: string, ties: Ties, idMap: IdMap, { holder, own }: EarlyNetwork): Starting {
  const network = holder ? ['--networks', JSON.stringify(holder)] : own ? ['--own-network'] : [];
  const early = ['--idmap', JSON.stringify(idMap), ...network, '--wait'];
  if (ties.front) return orderEarly(ties.front, runArguments(paths, id, ties, early), ties);
  const helper = start(paths, id, ties, early);
  const line = helper.child.stdio[4 + (ties.preserve ?? 0)] as Socket;
  // A helper that failed closes its end; what happened is in its events.
  line.on('error', () => {});
  helper.done.catch(() => {});
  return {
    helper,
    serve: (companion) => void line.write(earlyLine(companion)),
    go: () => void line.write('g'),
    cancel: () => void line.destroy(),
  };
}

function start(paths: Paths, id: string, ties: Ties, more: readonly string[]): HelperProcess {
  const keep = ties.preserve ?? 0;
  const args = runArguments(paths, id, ties, ['--parent-fd', String(4 + keep), ...more]);
  // Whoever waits for the end of the caller's output must not wait for the container.
  const output = ties.detach ? 'ignore' : 'inherit';
  const input = ties.input && !ties.detach ? 'inherit' : 'ignore';
  const shown = (name: 'stdout' | 'stderr') => (ties.hidden?.[name] ? 'ignore' : output);
  const told = ({ event }: HelperEvent) => {
    if (event !== 'created') ties.settled();
  };
  return startHelper(paths, args, [input, shown('stdout'), shown('stderr'), 'parent'], undefined, told, keep);
}

export type Launching = { readonly id: string; readonly image: string; readonly config: OciConfig; readonly host: Host };

/** @throws RootlessError whatever kept the program from running, HELPER_DIED */
export async function launch(paths: Paths, what: Launching, ties: Ties, starting: Starting | undefined): Promise<Outcome> {
  starting?.go();
  if (ties.front) return launchInFront(paths, what, ties, ties.front, starting);
  const helper = starting?.helper ?? start(paths, what.id, ties, []);
  // A key press reaches the whole foreground group, the helper too: it knows who sent what, and drops our copy.
  const pass = (name: NodeJS.Signals) => void (ties.detach || helper.child.kill(name));
  for (const name of forwarded) process.on(name, pass);
  const swept = sweepAbandoned(paths);
  try {
    const gone = await left(helper, ties);
    if (gone) return gone;
    const { events, code } = await helper.done;
    return await ended(paths, what, events, code);
  } finally {
    ties.settled();
    await swept;
    for (const name of forwarded) process.removeListener(name, pass);
  }
}

/** This process ends when the program runs: whoever waits for it waits for the front. */
async function launchInFront(paths: Paths, what: Launching, ties: Ties, front: Front, starting: Starting | undefined): Promise<Outcome> {
  if (starting === undefined) order(front, runArguments(paths, what.id, ties, []), ties);
  // What is sent to the front is for the container already; a key press reaches us too, and is none of our business any more.
  for (const name of forwarded) process.on(name, () => {});
  const swept = sweepAbandoned(paths);
  const events = await hear(front);
  ties.settled();
  await swept;
  if (events.some(({ event }) => event === 'running')) return { detached: true };
  return ended(paths, what, events, 0);
}

/** @returns undefined when the container did not go its own way */
async function left(helper: HelperProcess, ties: Ties): Promise<Outcome | undefined> {
  const events = await helper.said;
  const gone = events.some(({ event }) => event === 'detached') || (ties.detach && events.some(({ event }) => event === 'running'));
  if (!gone) return undefined;
  helper.child.unref();
  for (const stream of helper.child.stdio) (stream as Socket | null)?.destroy();
  return { detached: true };
}

async function ended(paths: Paths, { id, image, config, host }: Launching, events: readonly HelperEvent[], code: number): Promise<Outcome> {
  const failure = events.find((event): event is HelperFailure => event.event === 'error');
  if (events.some(({ event }) => event === 'exit')) return { detached: false, code };
  // A helper that ends by itself says how; one that said nothing left its state behind.
  if (failure === undefined) {
    await runHelper(paths, ['--root', paths.runtime, 'delete', '--force', id]);
    throw helperDied(code, events);
  }
  throw await explained(failure, paths, host, { image, config });
}

async function explained(failure: HelperFailure, paths: Paths, host: Host, launched: { image: string; config: OciConfig }) {
  const { explain } = await import('./explain.ts');
  const { gatherFacts } = await import('./explain-facts.ts');
  return explain(failure, gatherFacts(paths, host, launched));
}

function helperDied(code: number, events: readonly HelperEvent[]): RootlessError {
  const before = events.some(({ event }) => event === 'running') ? 'and the container with it' : 'before the container ran';
  return new RootlessError({
    code: 'HELPER_DIED',
    message: `the process that watched the container is gone, ${before}`,
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
