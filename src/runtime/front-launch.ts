/** Leaves a container to the program that started this one: no JavaScript engine stays beside it. */

import { closeSync, openSync, readSync } from 'node:fs';
import { type Front, handOver, letGo, serveEarly } from '../front.ts';
import { followEvents, type HelperEvent, parseEvents } from '../helper.ts';
import { isTerminal } from '../tty.ts';
import type { Starting } from './launch.ts';
import type { Ties } from './run-arguments.ts';

/** The front makes the container's user namespace while the bundle is still to be made. */
export function orderEarly(front: Front, args: readonly string[], { input }: Ties): Starting {
  handOver(front, { args, input });
  return { serve: (companion) => serveEarly(front, companion), go: () => letGo(front), cancel: () => {} };
}

/** The bundle stands, and nothing was ordered before. */
export function order(front: Front, args: readonly string[], { input }: Ties): void {
  handOver(front, { args, input });
}

/** What the front says until its program runs, or it has failed; all that it said, where it ended without either. */
export async function hear(front: Front): Promise<readonly HelperEvent[]> {
  const { Socket } = await import('node:net');
  const socket = new Socket({ fd: front.fd, readable: true, writable: false });
  const events: HelperEvent[] = [];
  await new Promise<void>((resolve) => {
    socket.on('error', () => resolve());
    socket.on('end', () => resolve());
    followEvents(socket, (event) => {
      events.push(event);
      if (event.event !== 'created') resolve();
    });
  });
  socket.unref();
  if (events.some(({ event }) => event === 'running')) leaveTerminal();
  return events;
}

/** The same for a process that has nothing else to do: without sockets and streams, which take longer to load than this takes to hear. */
export function hearNow(front: Front): readonly HelperEvent[] {
  const block = Buffer.alloc(64 << 10);
  const events: HelperEvent[] = [];
  for (let text = ''; events.every(({ event }) => event === 'created'); ) {
    const count = readSync(front.fd, block);
    if (count === 0) return events;
    const lines = (text + block.toString('utf8', 0, count)).split('\n');
    text = lines.pop() ?? '';
    events.push(...parseEvents(lines.join('\n')));
  }
  if (events.some(({ event }) => event === 'running')) leaveTerminal();
  return events;
}

/**
 * At its end Node sets each terminal that it found on 0, 1 and 2 to what it was, which is the end of the front's raw mode: it must not
 * find them there any more (node::ResetStdio).
 */
function leaveTerminal(): void {
  for (const fd of [0, 1, 2]) {
    if (!isTerminal(fd)) continue;
    closeSync(fd);
    // The lowest number that is free: the same.
    openSync('/dev/null', 'r+');
  }
}
