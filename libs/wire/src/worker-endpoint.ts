import { create } from "@bufbuild/protobuf";
import { workerId } from "@drover/core";
import type { WorkerEndpoint } from "@drover/fleet";
import { type Holder, HolderSchema } from "@drover/proto";

export function workerEndpointToWire(endpoint: WorkerEndpoint): Holder {
  return create(HolderSchema, endpoint);
}

/** Errors: `invalid_argument` for an id that is none. */
export function workerEndpointFromWire({ incarnation, address, draining, ...message }: Holder): WorkerEndpoint {
  return { workerId: workerId(message.workerId), incarnation, address, draining };
}
