import { type DroverError, toDroverError } from "@drover/core";
import type { Generation } from "./generation.ts";

/** Whether a request that the queue did not take is put there once more; resolves when it is time for that. */
export type AddAgain = (fault: DroverError) => Promise<boolean>;

/**
 * Puts a new request into the queue, and again for as long as `again` says so, each time as a newer attempt: one that seemed to fail may be
 * there all the same. Where a worker has begun it meanwhile, it was. Returns the attempt that the queue has. Errors: the last add's fault;
 * why the request has ended, where it has.
 */
export async function addFirst(
  generation: Generation,
  add: (generation: Generation) => Promise<void>,
  again: AddAgain,
): Promise<number> {
  const { state } = generation;
  const isFound = () => generation.begun && !generation.failed.aborted;
  for (;;) {
    const attempt = state.attemptBase;
    try {
      await add(generation);
      return attempt;
    } catch (error) {
      if (isFound()) return state.attemptBase;
      generation.ended.throwIfAborted();
      const fault = toDroverError(error);
      const isWorthIt = await again(fault);
      if (isFound()) return state.attemptBase;
      generation.ended.throwIfAborted();
      if (!isWorthIt) throw fault;
      if (state.attemptBase === attempt) state.supersede();
    }
  }
}
