import type { DroverError, ErrorCode } from "@drover/core";
import { type Static, Type } from "typebox";
import { errorReply } from "../write/error.ts";

const TYPES: Partial<Readonly<Record<ErrorCode, string>>> = {
  invalid_argument: "invalid_request_error",
  context_length_exceeded: "invalid_request_error",
  unauthenticated: "authentication_error",
  model_not_found: "not_found_error",
  not_found: "not_found_error",
  method_not_allowed: "invalid_request_error",
  request_timeout: "timeout_error",
  deadline_exceeded: "timeout_error",
  idempotency_key_reused: "invalid_request_error",
  idempotency_key_in_use: "invalid_request_error",
  unsupported_media_type: "invalid_request_error",
  payload_too_large: "request_too_large",
  permission_denied: "permission_error",
  rate_limit_exceeded: "rate_limit_error",
  overloaded: "rate_limit_error",
  unavailable: "overloaded_error",
};

/** Anthropic's error object. */
export const AnthropicError = Type.Object({
  type: Type.Literal("error"),
  error: Type.Object({ type: Type.String(), message: Type.String() }),
});

/** The body that tells an error to a client of Anthropic's interface. */
export function anthropicError(error: DroverError): Static<typeof AnthropicError> {
  const { message } = errorReply(error).error;
  return { type: "error", error: { type: TYPES[error.code] ?? "api_error", message } };
}
