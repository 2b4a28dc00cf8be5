/** The journal of events as it is read: what is in it, and what is still to come. */

import { closeSync, type FSWatcher, fstatSync, openSync, readSync, statSync, watch } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { Paths } from '../paths.ts';
import { type Event, journals } from './events.ts';

/** Milliseconds; what happens before `since` or after `until` is left out. */
export type Span = { readonly since?: number | undefined; readonly until?: number | undefined };

/** All that is kept, oldest first. */
export function readEvents(paths: Paths, span: Span = {}): Event[] {
  const [newer, older] = journals(paths);
  return [older, newer]
    .flatMap((path) => {
      using reader = openReader(path);
      return reader?.read() ?? [];
    })
    .filter((event) => within(event, span));
}

export function within({ time }: Event, { since, until }: Span): boolean {
  const at = Date.parse(time);
  return at >= (since ?? Number.NEGATIVE_INFINITY) && at <= (until ?? Number.POSITIVE_INFINITY);
}

/**
 * What is kept since `span.since` (nothing, if that is not given), then what happens, up to `span.until` or until `signal` says so.
 * A journal that is set aside meanwhile is read to its end first.
 */
export async function* followEvents(paths: Paths, span: Span, signal?: AbortSignal): AsyncGenerator<Event> {
  const [journal, older] = journals(paths);
  await using change = watchJournal(paths, span.until, signal);
  using tail = openTail(journal);
  let events = tail.read();
  if (span.since === undefined) events = [];
  else {
    using before = openReader(older);
    events = [...(before?.read() ?? []), ...events];
  }
  do {
    for (const event of events) if (within(event, span)) yield event;
    events = tail.read();
  } while (events.length > 0 || (await change.next()));
}

/** The journal under its name, whichever file that is. */
function openTail(journal: string): Disposable & { readonly read: () => Event[] } {
  let reader = openReader(journal);
  const read = (): Event[] => {
    const events = reader?.read() ?? [];
    const next = reader?.isCurrent() ? undefined : openReader(journal);
    if (next === undefined) return events;
    // Between the last look and now the old journal may have got its last lines.
    events.push(...(reader?.read() ?? []));
    reader?.[Symbol.dispose]();
    reader = next;
    return [...events, ...read()];
  };
  return { read, [Symbol.dispose]: () => reader?.[Symbol.dispose]() };
}

type Reader = Disposable & {
  /** Whole lines that were not read yet. */
  readonly read: () => Event[];
  /** It still has the journal's name. */
  readonly isCurrent: () => boolean;
};

function openReader(path: string): Reader | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  const { ino, dev } = fstatSync(file);
  const decoder = new StringDecoder('utf8');
  const chunk = Buffer.alloc(65536);
  let rest = '';
  return {
    read: () => {
      for (let count = readSync(file, chunk); count > 0; count = readSync(file, chunk)) rest += decoder.write(chunk.subarray(0, count));
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      return lines.flatMap((line) => parseEvent(line) ?? []);
    },
    isCurrent: () => {
      const now = statSync(path, { throwIfNoEntry: false });
      return now?.ino === ino && now.dev === dev;
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}

/** A line that a crash tore is no event. */
function parseEvent(line: string): Event | undefined {
  try {
    const { time, type, action, id, attributes } = JSON.parse(line) as Partial<Event>;
    if (typeof time !== 'string' || typeof action !== 'string' || typeof type !== 'string') return undefined;
    const texts = Object.entries(attributes ?? {}).map(([key, value]) => [key, String(value)] as const);
    return { time, type, action, id: String(id ?? ''), attributes: Object.fromEntries(texts) };
  } catch {
    return undefined;
  }
}

/** Milliseconds between two looks where the kernel cannot tell of changes. */
const interval = 500;

type Change = AsyncDisposable & {
  /** Waits for the next change; false when it is over. */
  readonly next: () => Promise<boolean>;
};

/** The folder is watched, not the file: the journal may not exist yet, or be set aside. */
function watchJournal(paths: Paths, until: number | undefined, signal: AbortSignal | undefined): Change {
  let wake: () => void = () => undefined;
  let changed = false;
  const tell = () => {
    changed = true;
    wake();
  };
  let watcher: FSWatcher | undefined;
  try {
    watcher = watch(paths.data, (_kind, name) => {
      if (name === null || name === 'events') tell();
    });
    watcher.on('error', () => watcher?.close());
  } catch {
    // No watches left, or no such folder: the clock does it.
  }
  const clock = setInterval(tell, interval);
  const isOver = () => signal?.aborted === true || (until !== undefined && Date.now() > until);
  const end = until === undefined ? undefined : setTimeout(tell, Math.min(Math.max(0, until - Date.now()) + 1, 2 ** 31 - 1));
  signal?.addEventListener('abort', tell, { once: true });
  return {
    next: async () => {
      if (!changed && !isOver()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      changed = false;
      return !isOver();
    },
    [Symbol.asyncDispose]: async () => {
      watcher?.close();
      clearInterval(clock);
      clearTimeout(end);
    },
  };
}
