/** A few things at a time; the first failure stops the rest, and all have ended before it is thrown. */

/** `stop` is aborted when a sibling fails or `signal` is. @throws the first failure, or the signal's reason */
export async function inParallel<T>(
  limit: number,
  items: readonly T[],
  work: (item: T, stop: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const failed = new AbortController();
  const stop = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) {
      if (stop.aborted) return;
      await work(item, stop).catch((cause: unknown) => failed.abort(cause));
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  stop.throwIfAborted();
}
