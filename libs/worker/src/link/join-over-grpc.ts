import { Cluster } from "@drover/proto";
import { bidiStreamOf, translated } from "@drover/rpc";
import { workerOrderFromWire, workerReportToWire } from "@drover/wire";

/** Calls a scheduler's Join over gRPC. */
export const joinOverGrpc = translated(bidiStreamOf(Cluster.method.join), workerReportToWire, workerOrderFromWire);
