import { create } from "@bufbuild/protobuf";
import { assert, modelId, type WorkerId } from "@drover/core";
import type { ExpertMap } from "@drover/fleet";
import { ExpertMapSchema, type ExpertMap as Message } from "@drover/proto";
import { wireFault } from "./wire-fault.ts";
import { workerEndpointFromWire, workerEndpointToWire } from "./worker-endpoint.ts";
import { writtenOnce } from "./written-once.ts";

/** Holders are named once and pointed to by index, so that a map of many experts stays small. */
export const expertMapToWire = writtenOnce((map: ExpertMap): Message => {
  const indexes = new Map(map.holders.map(({ workerId }, index) => [workerId, index]));
  const indexOf = (id: WorkerId) => {
    const index = indexes.get(id);
    assert(index !== undefined, "a map lists every worker that holds something");
    return index;
  };
  return create(ExpertMapSchema, {
    modelId: map.modelId,
    epoch: map.epoch,
    complete: map.complete,
    holders: map.holders.map(workerEndpointToWire),
    layers: [...map.experts].map(([layer, experts]) => ({
      layer,
      experts: experts.map((holders) => ({ holders: holders.map(indexOf) })),
    })),
  });
});

/** Errors: `invalid_argument`, naming the field, for a holder that is not listed and for a layer that is named twice. */
export function expertMapFromWire(message: Message): ExpertMap {
  const { epoch, complete, layers } = message;
  const holders = message.holders.map(workerEndpointFromWire);
  const nameOf = (index: number) => {
    const holder = holders[index];
    if (holder === undefined) throw wireFault("layers.experts.holders", `names holder ${index} of ${holders.length}`);
    return holder.workerId;
  };
  const experts = new Map(
    layers.map(({ layer, experts }) => [layer, experts.map(({ holders }) => holders.map(nameOf))]),
  );
  if (experts.size < layers.length) throw wireFault("layers", "names a layer twice");
  return { modelId: modelId(message.modelId), epoch, complete, holders, experts };
}
