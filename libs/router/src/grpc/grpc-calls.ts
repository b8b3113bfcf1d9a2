import { type EventEmitter, once } from "node:events";
import { type Clock, DroverError, type Logger, toDroverError, withTimeout } from "@drover/core";
import { publicError } from "@drover/openai";
import type { Account } from "@drover/tenants";
import type { Metadata } from "@grpc/grpc-js";
import { type ApiKeys, beginFor } from "../api-keys.ts";
import type { Bodies } from "../bodies/bodies.ts";
import type { Deployments } from "../deployments.ts";
import { READER_STALL_LIMIT } from "../limits.ts";
import type { TenantUsage } from "../requests/tenant-usage.ts";
import { messageField } from "./grpc-requests.ts";

/** What calls of all services need. */
export type GrpcCallParts = Readonly<{
  deployments: Deployments;
  keys: ApiKeys;
  usage: TenantUsage;
  logger: Logger;
  bodies: Bodies;
  version: string;
  /** Whether a request can be served now. */
  isReady: () => boolean;
}>;

type Cancellable = Readonly<{ cancelled: boolean; on(event: "cancelled", listener: () => void): unknown }>;
/** A call as its handler sees it. */
export type Called = Cancellable & Readonly<{ metadata: Metadata; getPath(): string }>;
type Unary<Q, R> = (request: Q, call: Called) => Promise<R>;
type Handle<Q, R> = (request: Q, client: AbortSignal, by: Readonly<{ call: Called; account: Account }>) => Promise<R>;
type FieldNames = (field: string) => string;

/** A handler of one reply: whose call it is, its signal, and what its client is told of an error. `inNames`: of a field, as its message has it. */
export function unary<Q, R>(
  parts: GrpcCallParts,
  handle: Handle<Q, R>,
  inNames: FieldNames = messageField,
): Unary<Q, R> {
  return async (request, call) => {
    try {
      const client = clientOf(call);
      const { account, begun } = authenticate(parts, call.metadata);
      using _begun = begun();
      return await handle(request, client, { call, account });
    } catch (error) {
      throw refusal(error, parts.logger, inNames);
    }
  };
}

/** Errors: what the signal says, or `cancelled` for a client that takes nothing for too long. */
export async function drained(call: EventEmitter, clock: Clock, over: AbortSignal): Promise<void> {
  await withTimeout(READER_STALL_LIMIT, clock, over, (signal) => once(call, "drain", { signal }));
}

/** Aborts when the call is cancelled, also when it was already. */
export function clientOf(call: Cancellable): AbortSignal {
  const client = new AbortController();
  const leave = () => client.abort(new DroverError("cancelled", "the client has left"));
  call.on("cancelled", leave);
  if (call.cancelled) leave();
  return client.signal;
}

/** Whose call it is; `begun` counts it until it is over. Errors: `unauthenticated`; of `begun`, `rate_limit_exceeded`. */
export function authenticate({ keys, usage }: GrpcCallParts, metadata: Metadata) {
  const given = metadata.get("authorization")[0];
  const account = keys.check(typeof given === "string" ? given : undefined);
  return { account, begun: () => beginFor(account, keys, usage) };
}

/** What a client is told; faults of this side are logged. */
export function refusal(error: unknown, logger: Logger, inNames: FieldNames = messageField): DroverError {
  const fault = inMessageNames(toDroverError(error), inNames);
  if (fault.code === "internal") logger.error("grpc.internal_error", { reason: fault.message, stack: fault.stack });
  return publicError(fault);
}

/** An error of a client names the field as its message has it. */
function inMessageNames(error: DroverError, inNames: FieldNames): DroverError {
  const { code, message, field, retryAfterMs, cause } = error;
  if (field === undefined) return error;
  return new DroverError(code, message, {
    field: inNames(field),
    cause,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}
