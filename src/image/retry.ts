/** Patience with servers: what passes is tried again, with longer and longer pauses, as long as the server itself asks for. */

import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RootlessError } from '../errors.ts';
import { SourceFailed } from './http.ts';
import { isPassing, unreachable } from './registry-error.ts';

export const attempts = 5;
/** Milliseconds. A registry that wants a longer break is reported, not waited for. */
const longestPause = 30_000;

/** Waits before another attempt; tests count instead. */
export type Pause = (milliseconds: number, signal?: AbortSignal) => Promise<void>;

/** The `failures`-th pause: 0.2 s, 0.4 s, 0.8 s, … with up to a half more, so that many clients do not come back together. */
export function pauseAfter(failures: number, pause: Pause | undefined, signal: AbortSignal | undefined, wished?: number): Promise<void> {
  const wait = wished ?? 200 * 2 ** failures * (1 + Math.random() / 2);
  const really: Pause = pause ?? ((milliseconds, stop) => sleep(milliseconds, undefined, stop ? { signal: stop } : {}));
  return really(Math.min(wait, longestPause), signal);
}

/** Whether the same request may go well a moment later; 501 is a feature that is missing. */
export function isPassingStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501);
}

/**
 * Sends until there is an answer that is no passing failure, at most five times.
 * @throws RootlessError REGISTRY_UNREACHABLE, REGISTRY_TLS, naming `host`; the last passing failure is returned, not thrown
 */
export async function patiently(
  send: () => Promise<IncomingMessage>,
  host: string,
  pause: Pause | undefined,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  for (let failures = 0; ; failures += 1) {
    const last = failures + 1 >= attempts;
    try {
      const response = await send();
      if (last || !isPassingStatus(response.statusCode ?? 0)) return response;
      const wait = retryAfter(response.headers['retry-after']);
      if (wait !== undefined && wait > longestPause) return response;
      response.destroy();
      await pauseAfter(failures, pause, signal, wait);
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof SourceFailed) throw cause.cause;
      if (cause instanceof RootlessError) throw cause;
      if (last || !isPassing(cause as NodeJS.ErrnoException)) throw unreachable(host, cause as NodeJS.ErrnoException);
      await pauseAfter(failures, pause, signal);
    }
  }
}

/** Seconds or a date (RFC 9110, 10.2.3), in milliseconds from now. */
export function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^[0-9]+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
