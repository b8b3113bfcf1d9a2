import { Cluster } from "@drover/proto";
import { bidiStreamOf, grpcNetwork, translated } from "@drover/rpc";
import { workerOrderFromWire, workerReportToWire } from "@drover/wire";

/** Calls a scheduler's Join over gRPC, or over what stands for it. */
export const joinOverGrpc = (network = grpcNetwork) =>
  translated(bidiStreamOf(Cluster.method.join, network), workerReportToWire, workerOrderFromWire);
