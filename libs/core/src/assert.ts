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
