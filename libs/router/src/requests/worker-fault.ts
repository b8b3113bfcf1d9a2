import { DroverError, type ErrorCode } from "@drover/core";
import type { InferenceRequest } from "@drover/openai";

/** What a worker says of a request that it cannot answer. Of one that it took, it refuses nothing but its grammar: the field that asked for that is named. */
export function faultOf(
  { code, message }: Readonly<{ code: ErrorCode; message: string }>,
  { constraint }: InferenceRequest,
): DroverError {
  const field = code === "invalid_argument" ? constraint?.field : undefined;
  return new DroverError(code, message, field === undefined ? {} : { field });
}
