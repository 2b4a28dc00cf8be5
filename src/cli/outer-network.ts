/** Where no network can be made inside a container, and none was asked for: the network of the container around is used, and that is said. */

import { existsSync, readFileSync } from 'node:fs';
import type { ContainerOptions } from '../runtime/options.ts';
import { readHost } from '../userns/host.ts';
import { containerAround } from '../userns/inside.ts';
import { notice } from './notice.ts';

/** `problem`: why there can be none of its own. */
export function withOuterNetwork(options: ContainerOptions, problem: string, env: NodeJS.ProcessEnv): ContainerOptions {
  const around = containerAround({ exists: existsSync, read, env, outer: readHost([]).outer.uid });
  if (around === undefined) return options;
  notice(`the network is that of ${around} around it: ${problem}`);
  return { ...options, network: 'host' };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
