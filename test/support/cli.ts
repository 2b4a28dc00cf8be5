/** Runs the built command line as a user would, in folders of its own. */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bin } from './checkout.ts';
import { slowness } from './slow.ts';
import { removeTree } from './tmp.ts';

export type Output = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

export type Options = {
  readonly input?: string | Buffer;
  /** Added to the environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Milliseconds until SIGKILL; without it the limit of the test counts. */
  readonly timeout?: number;
};

/** The folder of all folders below. */
export const base = mkdtempSync(join(tmpdir(), 'home-'));
const dataRoot = join(base, 'data');
/** What `Paths.data` is in the program under test. */
export const data = join(dataRoot, 'store');
export const runtime = join(base, 'run');
mkdirSync(runtime, { mode: 0o700 });
process.once('exit', () => removeTree(base));

/** The environment of every rootless that this file starts: data and runtime folders that no other test shares. */
export const environment: NodeJS.ProcessEnv = {
  ...process.env,
  // The program is started as a user does: it finds Node in PATH, and this one is to be it.
  PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
  ROOTLESS_DATA: dataRoot,
  XDG_RUNTIME_DIR: runtime,
  XDG_CACHE_HOME: join(base, 'cache'),
  XDG_CONFIG_HOME: join(base, 'config'),
};

/** Starts `rootless ARGS` with pipes; for tests that talk to it or signal it. */
export function start(args: readonly string[], options: Options = {}): ChildProcess {
  const env = { ...environment, ...options.env };
  return spawn(bin, args, {
    env,
    cwd: options.cwd,
    timeout: options.timeout === undefined ? undefined : options.timeout * slowness,
    killSignal: 'SIGKILL',
  });
}

/** Runs `rootless ARGS` to its end. */
export async function rootless(args: readonly string[], options: Options = {}): Promise<Output> {
  const child = start(args, options);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(options.input ?? '');
  return finished(child);
}

/** Collects both streams until the process has ended and both are closed. */
export function finished(child: ChildProcess): Promise<Output> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({ code, signal, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
  });
}

/** Resolves with all stdout so far once it contains the text. */
export function until(child: ChildProcess, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = '';
    let errors = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
      if (seen.includes(text)) resolve(seen);
    });
    child.once('close', (code) => reject(new Error(`ended with ${code} before it said "${text}": ${seen}${errors}`)));
  });
}
