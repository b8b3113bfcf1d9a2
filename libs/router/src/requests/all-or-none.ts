import { DroverError } from "@drover/core";

const FAILED = new DroverError("cancelled", "another part of the request has failed");

/** Does the work for each item, for so many at once (all unless given); their results in order. When one fails, the others need not go on. Errors: the first one. */
export async function allOrNone<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
  atOnce = items.length,
): Promise<R[]> {
  const [only] = items;
  if (only !== undefined && items.length === 1) return [await work(only, signal)];
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  try {
    const results: R[] = [];
    const rest = items.entries();
    // One iterator for all of them: each takes the next item that nobody has.
    const take = async () => {
      for (const [index, item] of rest) {
        either.throwIfAborted();
        results[index] = await work(item, either);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, take));
    return results;
  } finally {
    // Made once: a stack trace would be most of what this costs a request.
    failed.abort(FAILED);
  }
}
