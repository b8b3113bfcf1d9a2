import { create } from "@bufbuild/protobuf";
import type { DrainState } from "@drover/fleet";
import { DrainStateSchema, type DrainState as Message } from "@drover/proto";
import { textFromWire } from "./text.ts";

export function drainStateToWire({ obstacle = "", ...state }: DrainState): Message {
  return create(DrainStateSchema, { ...state, obstacle });
}

export function drainStateFromWire(message: Message): DrainState {
  const { drained, expertsDrained, obstacle, expertCount, requestCount } = message;
  return { drained, expertsDrained, obstacle: textFromWire(obstacle), expertCount, requestCount };
}
