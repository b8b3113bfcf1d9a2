import { create } from "@bufbuild/protobuf";
import { type ModelId, modelId, type RouterId, routerId } from "@drover/core";
import { type WatchRequest as Message, WatchRequestSchema } from "@drover/proto";

/** A router asks to be told of the cluster. */
export type WatchRequest = Readonly<{
  routerId: RouterId;
  modelId: ModelId;
  /** Where the router is reached. */
  address: string;
  /** It keeps the expert map that it was told ({@link ClusterStateReader}). */
  keepsExperts: boolean;
}>;

export function watchRequestToWire(request: WatchRequest): Message {
  return create(WatchRequestSchema, request);
}

/** Errors: `invalid_argument` for names that are none. */
export function watchRequestFromWire({ address, keepsExperts, ...message }: Message): WatchRequest {
  return { routerId: routerId(message.routerId), modelId: modelId(message.modelId), address, keepsExperts };
}
