import { AssertionError, type DroverError, toDroverError } from "@drover/core";

/** What was thrown, as a fault that a loop goes on after. A bug is thrown again: it is meant to crash. */
export function faultOf(error: unknown): DroverError {
  if (error instanceof AssertionError) throw error;
  return toDroverError(error);
}
