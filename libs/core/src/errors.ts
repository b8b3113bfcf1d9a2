import { isFailedAssertion } from "./assert.ts";

/**
 * Every fault has one of these codes. `http` and `grpc` are the statuses that a client sees; `type` is OpenAI's error type.
 * gRPC numbers: https://grpc.io/docs/guides/status-codes/.
 */
export const ERROR_CODES = {
  invalid_argument: { http: 400, grpc: 3, type: "invalid_request_error" },
  context_length_exceeded: { http: 400, grpc: 3, type: "invalid_request_error" },
  unauthenticated: { http: 401, grpc: 16, type: "authentication_error" },
  permission_denied: { http: 403, grpc: 7, type: "permission_error" },
  not_a_member: { http: 503, grpc: 16, type: "server_error" },
  model_not_found: { http: 404, grpc: 5, type: "invalid_request_error" },
  not_found: { http: 404, grpc: 5, type: "invalid_request_error" },
  method_not_allowed: { http: 405, grpc: 12, type: "invalid_request_error" },
  request_timeout: { http: 408, grpc: 4, type: "invalid_request_error" },
  idempotency_key_reused: { http: 422, grpc: 6, type: "idempotency_error" },
  idempotency_key_in_use: { http: 409, grpc: 10, type: "idempotency_error" },
  payload_too_large: { http: 413, grpc: 8, type: "invalid_request_error" },
  unsupported_media_type: { http: 415, grpc: 3, type: "invalid_request_error" },
  overloaded: { http: 429, grpc: 8, type: "overloaded_error" },
  rate_limit_exceeded: { http: 429, grpc: 8, type: "rate_limit_error" },
  cancelled: { http: 499, grpc: 1, type: "cancelled" },
  internal: { http: 500, grpc: 13, type: "server_error" },
  unavailable: { http: 503, grpc: 14, type: "server_error" },
  deadline_exceeded: { http: 504, grpc: 4, type: "server_error" },
  stale_epoch: { http: 500, grpc: 9, type: "server_error" },
  protocol_mismatch: { http: 503, grpc: 9, type: "server_error" },
  not_leader: { http: 503, grpc: 9, type: "server_error" },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A code as another process wrote it; `internal` for what is not in the table. */
export function errorCode(code: string): ErrorCode {
  return Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "internal";
}

export type DroverErrorOptions = Readonly<{ field?: string; retryAfterMs?: number; cause?: unknown }>;

/** A fault: network, Redis, bad input. A refusal is a value and a bug is an assertion; neither is this. */
export class DroverError extends Error {
  readonly code: ErrorCode;
  /** The request's field at fault, in the client's own naming (`max_tokens`, `messages[0].content`). */
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: DroverErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "DroverError";
    this.code = code;
    this.field = options.field;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** For who sees nothing but a text: the message, behind the field that it speaks of. */
  get sentence(): string {
    return this.field === undefined ? this.message : `${this.field}: ${this.message}`;
  }
}

/**
 * Wraps whatever was thrown: a DroverError is returned as it is, anything else becomes `internal` with its cause. A failed
 * assertion is thrown on: it is a bug and no fault, and nobody goes on after it.
 */
export function toDroverError(error: unknown): DroverError {
  if (error instanceof DroverError) return error;
  if (isFailedAssertion(error)) throw error;
  return new DroverError("internal", error instanceof Error ? error.message : String(error), { cause: error });
}
