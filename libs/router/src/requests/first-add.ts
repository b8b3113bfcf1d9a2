import { type DroverError, type TimeLimit, toDroverError } from "@drover/core";
import { QUEUE_CALL_LIMIT } from "../limits.ts";
import type { Generation } from "./generation.ts";

/**
 * Whether a request that the queue did not take is put there once more; resolves when it is time for that, with how long the queue may take to
 * answer then, or with undefined where it has had time enough.
 */
export type AddAgain = (fault: DroverError) => Promise<TimeLimit | undefined>;

/**
 * Puts a new request into the queue, and again for as long as `again` says so, each time as a newer attempt: one that seemed to fail may be
 * there all the same. Where a worker has begun it meanwhile, it was. Returns the attempt that the queue has. Errors: the last add's fault;
 * why the request has ended, where it has.
 */
export async function addFirst(
  generation: Generation,
  add: (generation: Generation, limit: TimeLimit) => Promise<void>,
  again: AddAgain,
): Promise<number> {
  const { state } = generation;
  const isFound = () => generation.begun && !generation.failed.aborted;
  let limit = QUEUE_CALL_LIMIT;
  for (;;) {
    const attempt = state.attemptBase;
    try {
      await add(generation, limit);
      return attempt;
    } catch (error) {
      if (isFound()) return state.attemptBase;
      generation.ended.throwIfAborted();
      const fault = toDroverError(error);
      const next = await again(fault);
      if (isFound()) return state.attemptBase;
      generation.ended.throwIfAborted();
      if (next === undefined) throw fault;
      limit = next;
      if (state.attemptBase === attempt) state.supersede();
    }
  }
}
