/** The one door to Rust: find the helper, run it, read its events. */

import type { ChildProcess, StdioOptions } from 'node:child_process';
import { accessSync, constants as access } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { RootlessError } from './errors.ts';
import type { Paths } from './paths.ts';

/** One extent of /proc/PID/uid_map (runtime-spec, config-linux.md "User namespace mappings"). */
export type IdMapping = { readonly containerID: number; readonly hostID: number; readonly size: number };

/** A full mapping, and the set-uid programs that may write it; without them the helper writes it itself. */
export type IdMap = {
  readonly uid: readonly IdMapping[];
  readonly gid: readonly IdMapping[];
  readonly newuidmap?: string | undefined;
  readonly newgidmap?: string | undefined;
};

/** Facts of a failed step; words are made from them in runtime/explain.ts. */
export type HelperFailure = {
  readonly event: 'error';
  /** The helper's name for the step: `map-ids`, `mount`, `pivot`, `exec`, … (docs/contract.md). */
  readonly step: string;
  readonly index?: number;
  readonly target?: string;
  /** `EPERM`, … or absent. */
  readonly errno?: string;
  readonly message?: string;
};

export type HelperEvent =
  | { readonly event: 'created'; readonly pid: number }
  | { readonly event: 'running'; readonly pid: number }
  | { readonly event: 'detached' }
  | { readonly event: 'exit'; readonly code: number; readonly signal?: number; readonly oom?: boolean }
  | HelperFailure;

export type HelperResult = {
  /** 0-255, or 128 + signal. */
  readonly code: number;
  readonly events: readonly HelperEvent[];
  readonly failure: HelperFailure | undefined;
  readonly stdout: string;
  readonly stderr: string;
};

export type HelperProcess = {
  readonly child: ChildProcess;
  readonly done: Promise<HelperResult>;
  /** All events, when there will be no more: a helper that detaches says so before it ends. */
  readonly said: Promise<readonly HelperEvent[]>;
};

/**
 * stdio of the three standard streams; `pipe` collects stdout and stderr into the result unless read by the caller, `stream` leaves
 * stdout to another helper's stdin, a number is an open file.
 * `parent` opens fd 4 (for `--parent-fd 4`): its other end closes when this process ends, however it ends.
 */
export type HelperStdio = readonly [Stream | Readable | number, Stream | 'stream' | number, Stream, 'parent'?];
type Stream = 'ignore' | 'inherit' | 'pipe';

/** Hears each event when it happens. */
export type Told = (event: HelperEvent) => void;

/**
 * Starts `rootless-helper ARGS` with an event pipe on fd 3 (JSON lines; docs/contract.md, "Events").
 * `keep`: as many descriptors of this process, from 3 on, have the same numbers there; ours come after them.
 * @throws RootlessError HELPER_MISSING when the built helper is not there.
 */
export function startHelper(
  paths: Paths,
  args: readonly string[],
  stdio: HelperStdio,
  signal?: AbortSignal,
  told?: Told,
  keep = 0,
): HelperProcess {
  const kept = Array.from({ length: keep }, (_, index) => 3 + index);
  const all: StdioOptions = [
    stdio[0],
    stdio[1] === 'stream' ? 'pipe' : stdio[1],
    stdio[2],
    ...kept,
    'pipe',
    ...(stdio[3] ? (['pipe'] as const) : []),
  ];
  // Loaded when it is needed: where a front becomes the helper, nothing is started from here.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(paths.helper, ['--events-fd', String(3 + keep), ...args], { stdio: all, ...(signal ? { signal } : {}) });
  const pipe = child.stdio[3 + keep] as NodeJS.ReadableStream;
  const events = collect(pipe);
  if (told) followEvents(pipe, told);
  const stdout = stdio[1] === 'pipe' ? collect(child.stdout) : Promise.resolve('');
  const stderr = stdio[2] === 'pipe' ? collect(child.stderr) : Promise.resolve('');
  const exit = new Promise<number>((resolve, reject) => {
    child.once('error', (cause) => reject(missing(paths.helper, cause)));
    child.once('exit', (code, name) => resolve(code ?? 128 + (name === null ? 0 : constants.signals[name])));
  });
  return { child, done: finish(exit, events, stdout, stderr), said: events.then(parseEvents) };
}

/** Runs the helper to its end with collected output; for verbs that are not containers. */
export function runHelper(paths: Paths, args: readonly string[], signal?: AbortSignal): Promise<HelperResult> {
  return startHelper(paths, args, ['ignore', 'pipe', 'pipe'], signal).done;
}

async function finish(
  exit: Promise<number>,
  events: Promise<string>,
  stdout: Promise<string>,
  stderr: Promise<string>,
): Promise<HelperResult> {
  const code = await exit;
  const list = parseEvents(await events);
  return {
    code,
    events: list,
    failure: list.find((event): event is HelperFailure => event.event === 'error'),
    stdout: await stdout,
    stderr: await stderr,
  };
}

/** Events as they come; a line may come in pieces. */
export function followEvents(pipe: NodeJS.ReadableStream, told: Told): void {
  let rest = '';
  pipe.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const event of parseEvents(lines.join('\n'))) told(event);
  });
}

export function parseEvents(text: string): HelperEvent[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as HelperEvent);
}

function collect(stream: NodeJS.ReadableStream | null): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream?.on('error', () => resolve(Buffer.concat(chunks).toString()));
    stream?.on('end', () => resolve(Buffer.concat(chunks).toString()));
    if (stream === null) resolve('');
  });
}

function missing(path: string, cause: unknown): RootlessError {
  try {
    accessSync(path, access.X_OK);
  } catch {
    return new RootlessError({
      code: 'HELPER_MISSING',
      message: `cannot find the helper at "${path}"`,
      why: 'this checkout has not been built',
      fix: 'npm run build',
      cause,
    });
  }
  return new RootlessError({ code: 'HELPER_FAILED', message: `cannot start the helper at "${path}"`, cause });
}
