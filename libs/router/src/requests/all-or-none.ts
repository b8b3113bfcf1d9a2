import { DroverError } from "@drover/core";

const FAILED = new DroverError("cancelled", "another part of the request has failed");

/** Does the work for each item at once; their results in order. When one fails, the others need not go on. Errors: the first one. */
export async function allOrNone<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const [only] = items;
  if (only !== undefined && items.length === 1) return [await work(only, signal)];
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  try {
    return await Promise.all(items.map((item) => work(item, either)));
  } finally {
    // Made once: a stack trace would be most of what this costs a request.
    failed.abort(FAILED);
  }
}
