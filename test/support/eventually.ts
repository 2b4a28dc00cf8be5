/** Repeats a check until it holds; what is being waited for happens in another process and announces itself to no one. */

import { setTimeout as pause } from 'node:timers/promises';
import { slowness } from './slow.ts';

/** Resolves with the check's value; after the limit (milliseconds) the check's own error is thrown. */
export async function eventually<T>(check: () => Promise<T> | T, limit = 60_000): Promise<T> {
  const end = Date.now() + limit * slowness;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await pause(20);
  }
}
