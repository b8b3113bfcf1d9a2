/** A bug, not a fault: what must hold did not. It is meant to crash. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Crashes with the sentence when the condition is false. */
export function assert(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new AssertionError(sentence);
}

/** Ends a switch over a tagged union: the compiler proves that no case is missing. */
export function assertNever(value: never): never {
  throw new AssertionError(`unexpected value ${JSON.stringify(value)}`);
}

/** Whether a failed assertion was thrown, here or in a thread, on whose way to its parent an error loses its class and keeps its name. */
export function isFailedAssertion(error: unknown): error is Error {
  return error instanceof Error && error.name === "AssertionError";
}

/**
 * A failed assertion crashes the process, also where a framework answers whatever its handlers throw and goes on: it is
 * rejected once more where nobody can catch it. Any other error passes.
 */
export function crashOnFailedAssertion(error: unknown): void {
  if (isFailedAssertion(error)) void Promise.reject(error);
}
