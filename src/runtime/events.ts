/** The journal of events, $DATA/events: one JSON line each, appended with one write by monitors (Rust) and commands. */

import { closeSync, fstatSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import type { Listed } from './state.ts';

/** docs/contract.md, "Journal". */
export type Event = {
  /** RFC 3339, with up to nanoseconds. */
  readonly time: string;
  readonly type: 'container' | 'image' | 'volume' | 'network' | 'daemon';
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
};

/** Bytes at which the journal begins anew; the one before is kept. */
export const journalLimit = 4 * 1024 * 1024;

/** The newer one first. */
export function journals(paths: Paths): readonly [string, string] {
  return [join(paths.data, 'events'), join(paths.data, 'events.1')];
}

/** Never throws: what happened has happened, a full disk does not undo it. */
export function tellEvent(paths: Paths, event: Omit<Event, 'time'>, now = new Date()): void {
  const [journal] = journals(paths);
  try {
    const file = openSync(journal, 'a', 0o600);
    try {
      writeSync(file, `${JSON.stringify({ time: now.toISOString(), ...event })}\n`);
      if (fstatSync(file).size > journalLimit) rotate(paths);
    } finally {
      closeSync(file);
    }
  } catch {
    // See above.
  }
}

/** With the attributes that docker gives to containers: name, image, labels. */
export function tellContainer(
  paths: Paths,
  container: Pick<Listed, 'id' | 'name' | 'image' | 'labels'>,
  action: string,
  more: Readonly<Record<string, string>> = {},
): void {
  const { id, name, image, labels } = container;
  tellEvent(paths, { type: 'container', action, id, attributes: { ...labels, image, name, ...more } });
}

/** Milliseconds after which a lock's holder is taken for dead: it renames one file. */
const patience = 10_000;

/** One process does it; the others find the journal short again. */
function rotate(paths: Paths): void {
  const [journal, older] = journals(paths);
  const lock = `${journal}.lock`;
  try {
    closeSync(openSync(lock, 'wx', 0o600));
  } catch {
    const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > patience) rmSync(lock, { force: true });
    return;
  }
  try {
    if (statSync(journal).size > journalLimit) renameSync(journal, older);
  } finally {
    rmSync(lock, { force: true });
  }
}
