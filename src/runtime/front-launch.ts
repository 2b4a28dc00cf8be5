/** Leaves a container to the program that started this one: no JavaScript engine stays beside it. */

import { type Front, handOver, letGo } from '../front.ts';
import { followEvents, type HelperEvent } from '../helper.ts';
import type { Starting } from './launch.ts';
import type { Ties } from './run-arguments.ts';

/** The front makes the container's user namespace while the bundle is still to be made. */
export function orderEarly(front: Front, args: readonly string[], { input }: Ties): Starting {
  handOver(front, { args, input });
  return { go: () => letGo(front), cancel: () => {} };
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
  return events;
}
