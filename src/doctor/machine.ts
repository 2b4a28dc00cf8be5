/** What the doctor's checks may look at and try. A test hands in a machine that is broken in one place. */

import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readlinkSync, rmSync, statfsSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { type IdMap, runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { findProgram } from '../programs.ts';
import { chooseMapping, type Mapping } from '../userns/choose.ts';
import { type Host, readHost } from '../userns/host.ts';
import { askNameServer, dial, listen } from './reach.ts';
import { trySlirp } from './slirp.ts';
import { callVarlink, type VarlinkAnswer } from './varlink.ts';

/** Answer of one `probe` of the helper (docs/contract.md). */
export type Probe = {
  readonly ok: boolean;
  readonly step?: string;
  readonly errno?: string;
  readonly message?: string;
  readonly target?: string;
};

export type Ran = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

/** Of the filesystem that holds a path. */
export type Disk = {
  readonly free: number;
  readonly size: number;
  readonly freeFiles: number;
  readonly files: number;
  readonly kind: number;
};

export type Machine = {
  readonly paths: Paths;
  readonly host: Host;
  readonly mapping: Mapping;
  /** What the environment says: names of variables as they are. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A text file; empty when it is missing or may not be read. */
  readonly read: (path: string) => string;
  /** The target of a link; empty when there is none. */
  readonly link: (path: string) => string;
  readonly exists: (path: string) => boolean;
  /** Opens it and closes it again; the error's code if that failed. */
  readonly open: (path: string, how: 'read' | 'write') => string | undefined;
  /** Makes a file in a folder and removes it; the error's code if that failed. */
  readonly write: (folder: string) => string | undefined;
  /** Has a folder watched by the kernel (inotify(7)); the error's code if that failed. */
  readonly watch: (folder: string) => string | undefined;
  /** Connects to a unix socket; the error's code if that failed. */
  readonly connect: (path: string) => Promise<string | undefined>;
  /** Connects to a port of a host. */
  readonly dial: (host: string, port: number) => Promise<string | undefined>;
  /** Listens on a port of the loopback. */
  readonly listen: (port: number) => Promise<string | undefined>;
  /** Asks a name server something; the error's code if it does not answer. */
  readonly ask: (server: string) => Promise<string | undefined>;
  /** Lets slirp4netns serve a namespace; what it said if it could not. */
  readonly slirp: (unshare: string, program: string) => Promise<string | undefined>;
  /** One varlink call without parameters; undefined when nobody answers. */
  readonly varlink: (path: string, method: string) => Promise<VarlinkAnswer | undefined>;
  readonly disk: (path: string) => Disk | undefined;
  readonly find: (program: string) => string | undefined;
  readonly run: (program: string, args: readonly string[]) => Ran;
  /** Tries things in a throwaway namespace. */
  readonly probe: (what: string, idMap?: IdMap) => Promise<Probe>;
};

/** Milliseconds for a program that is only asked something. */
const patience = 10_000;

/** The machine that we run on. */
export function thisMachine(paths: Paths, searchPath: readonly string[], env: NodeJS.ProcessEnv): Machine {
  const host = readHost(searchPath);
  const mapping = chooseMapping({ kind: 'host' }, host);
  return {
    paths,
    host,
    mapping,
    env,
    read: (path) => attempt(() => readFileSync(path, 'utf8')) ?? '',
    link: (path) => attempt(() => readlinkSync(path)) ?? '',
    exists: (path) => attempt(() => statSync(path)) !== undefined,
    open: openCode,
    write: writeCode,
    watch: watchCode,
    connect: (path) => dial({ path }),
    dial: (to, port) => dial({ host: to, port }),
    listen,
    ask: askNameServer,
    slirp: (unshare, program) => trySlirp(unshare, program, host.uid === 0),
    varlink: (path, method) => callVarlink(path, method, patience),
    disk: (path) => {
      const stat = attempt(() => statfsSync(path));
      const bytes = (blocks: number) => blocks * (stat?.bsize ?? 0);
      return stat && { free: bytes(stat.bavail), size: bytes(stat.blocks), freeFiles: stat.ffree, files: stat.files, kind: stat.type };
    },
    find: (program) => findProgram(program, searchPath),
    run: (program, args) => {
      const { status, stdout, stderr } = spawnSync(program, args, {
        encoding: 'utf8',
        timeout: patience,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return { status, stdout: stdout ?? '', stderr: stderr ?? '' };
    },
    probe: (what, idMap = mapping.idMap) => probe(paths, what, idMap),
  };
}

async function probe(paths: Paths, what: string, idMap: IdMap): Promise<Probe> {
  const result = await runHelper(paths, ['probe', '--idmap', JSON.stringify(idMap), what]);
  const answers = attempt(() => JSON.parse(result.stdout) as Record<string, Probe | undefined>);
  const { step, errno, message } = result.failure ?? {};
  return answers?.[what] ?? { ok: false, ...(step ? { step } : {}), ...(errno ? { errno } : {}), ...(message ? { message } : {}) };
}

function openCode(path: string, how: 'read' | 'write'): string | undefined {
  return codeOf(() => closeSync(openSync(path, (how === 'read' ? constants.O_RDONLY : constants.O_RDWR) | constants.O_NONBLOCK)));
}

function writeCode(folder: string): string | undefined {
  const file = join(folder, `.doctor-${process.pid}`);
  return codeOf(() => {
    closeSync(openSync(file, 'wx', 0o600));
    rmSync(file);
  });
}

function watchCode(folder: string): string | undefined {
  return codeOf(() => watch(folder, { persistent: false }).close());
}

function codeOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO';
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
