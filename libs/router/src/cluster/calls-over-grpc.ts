import { create } from "@bufbuild/protobuf";
import { AttentionWorker, Cluster, ExplainRequestSchema } from "@drover/proto";
import { bidiStreamOf, RpcClient, serverStreamOf, translated } from "@drover/rpc";
import {
  clusterStateFromWire,
  explainReplyFromWire,
  routerMessageToWire,
  watchRequestToWire,
  workerMessageFromWire,
} from "@drover/wire";
import type { ClusterCalls } from "./cluster-calls.ts";

/** A router's calls over gRPC. */
export const callsOverGrpc: ClusterCalls = {
  watch: (request) =>
    translated(
      serverStreamOf(Cluster.method.watch, watchRequestToWire(request)),
      (nothing: never) => nothing,
      clusterStateFromWire,
    ),
  tokens: translated(bidiStreamOf(AttentionWorker.method.tokens), routerMessageToWire, workerMessageFromWire),
  explain: async (scheduler, requestId, signal) => {
    using client = new RpcClient(scheduler);
    const request = create(ExplainRequestSchema, { requestId });
    return explainReplyFromWire(await client.unary(Cluster.method.explain, request, signal));
  },
};
