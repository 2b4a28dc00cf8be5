/** Takes away what an earlier life of a container left in $RUNTIME: state, sockets, cgroup, processes. */

import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { killMonitor, monitorEnded } from './monitor-end.ts';
import type { Listed } from './state.ts';

/** Milliseconds in which a monitor whose container has ended has to end too. */
const patience = 10_000;

/** Of a container that does not run: waits for its monitor, and ends one that hangs. */
export async function clearLeftovers(paths: Paths, { id, life }: Pick<Listed, 'id' | 'life'>): Promise<void> {
  if (life && !(await monitorEnded(life.monitor, patience))) {
    killMonitor(life.monitor);
    await monitorEnded(life.monitor, patience);
  }
  await forgetState(paths, id);
}

/** What the helper cannot make sense of goes all the same. */
export async function forgetState(paths: Paths, id: string): Promise<void> {
  const folder = join(paths.runtime, id);
  if (!existsSync(folder)) return;
  await runHelper(paths, ['--root', paths.runtime, 'delete', '--force', id]);
  rmSync(folder, { recursive: true, force: true });
}
