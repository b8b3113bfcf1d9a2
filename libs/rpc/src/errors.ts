import { DroverError, ERROR_CODES, type ErrorCode, errorCode } from "@drover/core";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";

/** Trailing metadata that carries a DroverError's exact code and field between Drover's processes. */
const CODE_KEY = "drover-code";
const FIELD_KEY = "drover-field";

/** What a gRPC server hands to its callback for a DroverError. */
export function toServiceError(error: DroverError): Pick<ServiceError, "code" | "details" | "metadata"> & Error {
  const metadata = new Metadata();
  metadata.set(CODE_KEY, error.code);
  if (error.field !== undefined) metadata.set(FIELD_KEY, encodeURIComponent(error.field));
  if (error.retryAfterMs !== undefined) metadata.set("grpc-retry-pushback-ms", String(error.retryAfterMs));
  const details = error.sentence;
  return Object.assign(new Error(details), { code: ERROR_CODES[error.code].grpc, details, metadata });
}

/** The fault that a reply's own field names; undefined where it has none. */
export function faultIn(reply: Readonly<{ errorCode: string }>): ErrorCode | undefined {
  return reply.errorCode === "" ? undefined : errorCode(reply.errorCode);
}

const BY_STATUS: Partial<Record<number, ErrorCode>> = {
  [status.CANCELLED]: "cancelled",
  [status.INVALID_ARGUMENT]: "invalid_argument",
  [status.DEADLINE_EXCEEDED]: "deadline_exceeded",
  [status.NOT_FOUND]: "not_found",
  [status.RESOURCE_EXHAUSTED]: "overloaded",
  [status.UNAVAILABLE]: "unavailable",
  [status.UNAUTHENTICATED]: "unauthenticated",
  [status.PERMISSION_DENIED]: "permission_denied",
};

/** The other direction: the peer's own code where it sent one, else the nearest for the gRPC status. */
export function fromServiceError(error: ServiceError): DroverError {
  const sent = error.metadata?.get(CODE_KEY)[0];
  const code =
    typeof sent === "string" && sent in ERROR_CODES ? (sent as ErrorCode) : (BY_STATUS[error.code] ?? "internal");
  const field = error.metadata?.get(FIELD_KEY)[0];
  const pushback = Number(error.metadata?.get("grpc-retry-pushback-ms")[0]);
  return new DroverError(code, error.details || error.message, {
    cause: error,
    ...(typeof field === "string" ? { field: decodeURIComponent(field) } : {}),
    ...(Number.isFinite(pushback) && pushback > 0 ? { retryAfterMs: pushback } : {}),
  });
}
