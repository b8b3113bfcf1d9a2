import { create } from "@bufbuild/protobuf";
import type { DrainReply, DrainRequest } from "@drover/fleet";
import {
  DrainReplySchema,
  DrainRequestSchema,
  type DrainReply as ReplyMessage,
  type DrainRequest as RequestMessage,
} from "@drover/proto";
import { drainStateFromWire, drainStateToWire } from "./drain-state.ts";
import { textFromWire } from "./text.ts";

export function drainRequestToWire({ incarnation = "", ...request }: DrainRequest): RequestMessage {
  return create(DrainRequestSchema, { ...request, incarnation });
}

export function drainRequestFromWire({ workerId, undo, incarnation }: RequestMessage): DrainRequest {
  return { workerId, undo, incarnation: textFromWire(incarnation) };
}

export function drainReplyToWire({ incarnation, draining, state }: DrainReply): ReplyMessage {
  return create(DrainReplySchema, { incarnation, draining, ...(state && { state: drainStateToWire(state) }) });
}

export function drainReplyFromWire({ incarnation, draining, state }: ReplyMessage): DrainReply {
  return { incarnation, draining, state: state && drainStateFromWire(state) };
}
