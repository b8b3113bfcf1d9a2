import { create } from "@bufbuild/protobuf";
import { DroverError } from "@drover/core";
import { AttentionWorker, Cluster, ExplainRequestSchema } from "@drover/proto";
import { bidiStreamOf, type Network, serverStreamOf, translated } from "@drover/rpc";
import {
  ClusterStateReader,
  explainReplyFromWire,
  routerMessageToWire,
  watchRequestToWire,
  workerMessageFromWire,
} from "@drover/wire";
import type { ClusterCalls } from "./cluster-calls.ts";

/** A router's calls over gRPC. */
export const callsOverGrpc = (network: Network): ClusterCalls => ({
  chance: () => network.chance(),
  watch: (request) => {
    const states = new ClusterStateReader();
    return translated(
      serverStreamOf(Cluster.method.watch, watchRequestToWire(request), network),
      (nothing: never) => nothing,
      (message) => states.read(message),
    );
  },
  tokens: translated(bidiStreamOf(AttentionWorker.method.tokens, network), routerMessageToWire, workerMessageFromWire),
  explain: async (scheduler, requestId, signal) => {
    using client = network.dial(scheduler);
    const request = create(ExplainRequestSchema, { requestId });
    const reply = await client.unary(Cluster.method.explain, request, signal);
    try {
      return explainReplyFromWire(reply);
    } catch (cause) {
      // Who asked the router has made no mistake.
      throw new DroverError("unavailable", "the scheduler's answer cannot be read", { cause });
    }
  },
});
