/** What a unit needs to find rootless, Node and the store as this command line found them. */

import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Paths } from '../paths.ts';
import { findProgram, searchPath } from '../programs.ts';

/** systemd's own PATH (systemd.exec(5), "Environment Variables"). */
const usual = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export type UnitEnvironment = {
  /** Absolute path of `rootless`. */
  readonly program: string;
  /** `NAME=VALUE` that systemd would not set by itself. */
  readonly variables: readonly string[];
};

export function unitEnvironment(paths: Paths, env: NodeJS.ProcessEnv): UnitEnvironment {
  const own = join(dirname(paths.dist), 'bin/rootless');
  const program = existsSync(own) ? realpathSync(own) : (findProgram('rootless', searchPath(env)) ?? own);
  const node = dirname(process.execPath);
  // A Node of the user's (nvm, fnm) stands in no usual folder.
  const path = usual.includes(node) && existsSync(join(node, 'node')) ? [] : [`PATH=${[node, ...usual].join(':')}`];
  const kept = ['ROOTLESS_DATA', 'ROOTLESS_HELPER', 'XDG_DATA_HOME', 'XDG_CONFIG_HOME'];
  return { program, variables: [...path, ...kept.flatMap((name) => (env[name] ? [`${name}=${env[name]}`] : []))] };
}
