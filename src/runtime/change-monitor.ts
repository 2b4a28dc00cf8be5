/** Rewrites monitor.json, and lets a monitor that runs read it. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import { askMonitor } from './monitor-client.ts';
import { writeMonitorFile } from './monitor-file.ts';
import { containerFolder } from './state.ts';

type Content = Readonly<Record<string, unknown>>;

/** Nothing happens before the first start: there is no such file then. */
export async function changeMonitor(paths: Paths, id: string, change: (old: Content) => Content): Promise<void> {
  const folder = containerFolder(paths, id);
  const old = read(join(folder, 'monitor.json'));
  if (old === undefined) return;
  writeMonitorFile(folder, change(old));
  await askMonitor(paths, id, { op: 'reload' });
}

function read(file: string): Content | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Content;
  } catch {
    return undefined;
  }
}
