import { create } from "@bufbuild/protobuf";
import { type ErrorCode, errorCode } from "@drover/core";
import {
  PlaceReplySchema,
  PlaceRequestSchema,
  type PlaceReply as ReplyMessage,
  type PlaceRequest as RequestMessage,
} from "@drover/proto";

/** A leader hands a request to a worker. */
export type PlaceRequest = Readonly<{
  /** A worker refuses a leader that was replaced. */
  leaderEpoch: bigint;
  attempt: number;
  /** A job's payload, unread: see `generationRequestFromWire`. */
  payload: Uint8Array;
}>;

/**
 * Why a worker does not take a request: `overloaded` and `unavailable` now, `stale_epoch` from this leader, `cancelled` not this attempt,
 * `invalid_argument` never.
 */
export type PlaceRefusal = Readonly<{ code: ErrorCode; message: string }>;

export function placeRequestToWire(request: PlaceRequest): RequestMessage {
  return create(PlaceRequestSchema, request);
}

export function placeRequestFromWire({ leaderEpoch, attempt, payload }: RequestMessage): PlaceRequest {
  return { leaderEpoch, attempt, payload };
}

/** A worker's answer; undefined: it has taken the request. */
export function placeReplyToWire(refusal: PlaceRefusal | undefined): ReplyMessage {
  if (refusal === undefined) return create(PlaceReplySchema, { accepted: true });
  return create(PlaceReplySchema, { accepted: false, refusalCode: refusal.code, refusalMessage: refusal.message });
}

/** Undefined: the worker has taken the request. A code of a later build counts as `internal`. */
export function placeReplyFromWire({ accepted, refusalCode, refusalMessage }: ReplyMessage): PlaceRefusal | undefined {
  return accepted ? undefined : { code: errorCode(refusalCode), message: refusalMessage };
}
