/** Asks a container's monitor over its socket: one JSON line there, one back (docs/contract.md, "Monitor"). */

import { closeSync, constants, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { watchMonitor } from './monitor-hangs.ts';

/** Times in nanoseconds, signals as numbers. */
export type MonitorRequest =
  | { readonly op: 'kill'; readonly signal: number }
  | { readonly op: 'stop'; readonly signal?: number; readonly timeout?: number; readonly keep?: true }
  | { readonly op: 'wait' | 'pause' | 'resume' | 'health' | 'reload' | 'reopen' }
  | { readonly op: 'resize'; readonly rows: number; readonly cols: number };

export type MonitorAnswer = {
  readonly ok: true;
  readonly code?: number;
  /** Of `health`. */
  readonly status?: string;
  readonly exitCode?: number;
  readonly output?: string;
};

/** Milliseconds; what is quick is done in one, on a machine that has nothing else to do. */
const patience = 60_000;
/** They answer when something else has happened. */
const takesTime = new Set<MonitorRequest['op']>(['wait', 'stop', 'health']);

type Refusal = { readonly ok: false; readonly step: string; readonly target?: string; readonly errno?: string; readonly message?: string };

/**
 * @returns undefined when there is no monitor, or it ended before it answered
 * @throws RootlessError MONITOR_REFUSED with what it said, MONITOR_HANGS
 */
export async function askMonitor(
  paths: Paths,
  id: string,
  request: MonitorRequest,
  signal?: AbortSignal,
): Promise<MonitorAnswer | undefined> {
  using watch = watchMonitor(paths, id, { limit: takesTime.has(request.op) ? undefined : patience });
  const socket = await Promise.race([connectMonitor(paths, id, signal), watch.hangs]);
  if (socket === undefined) return undefined;
  const abort = () => void socket.destroy();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    const line = await Promise.race([firstLine(socket), watch.hangs]);
    signal?.throwIfAborted();
    return line === undefined ? undefined : judge(request.op, line);
  } finally {
    signal?.removeEventListener('abort', abort);
    socket.destroy();
  }
}

/**
 * The path may be longer than the 107 bytes of sockaddr_un (unix(7)): it is reached through an opened folder.
 * @returns undefined when nobody listens
 */
async function connectMonitor(paths: Paths, id: string, signal?: AbortSignal): Promise<Socket | undefined> {
  for (let attempt = 0; ; attempt += 1) {
    signal?.throwIfAborted();
    const folder = open(join(paths.runtime, id));
    if (folder === undefined) return undefined;
    try {
      return await connected(`/proc/self/fd/${folder}/monitor`);
    } catch (error) {
      // The queue of connections is full for a moment.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || attempt > 2000) return undefined;
    } finally {
      closeSync(folder);
    }
    await sleep(5);
  }
}

function open(folder: string): number | undefined {
  try {
    return openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch {
    return undefined;
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      // A monitor that ends resets its connections: seen as an end without an answer.
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function firstLine(socket: Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    socket.once('close', () => resolve(undefined));
  });
}

function judge(op: string, line: string): MonitorAnswer {
  const answer = JSON.parse(line) as MonitorAnswer | Refusal;
  if (answer.ok) return answer;
  const { step, target, errno, message } = answer;
  const reason = [target, errno, message].filter(Boolean).join(': ');
  throw new RootlessError({
    code: 'MONITOR_REFUSED',
    message: `the container's monitor could not ${op === 'resume' ? 'unpause' : op} it: ${step}${reason === '' ? '' : ` ${reason}`}`,
    cause: answer,
  });
}
