import { DroverError, toDroverError } from "@drover/core";
import type { PlacementRecord } from "@drover/fleet";
import type {
  DrainRequest as DrainMessage,
  DrainReply as DrainReplyMessage,
  ExplainRequest as ExplainMessage,
  ExplainReply as ExplainReplyMessage,
  WorkerOrder as OrderMessage,
  WorkerReport as ReportMessage,
  ClusterState as StateMessage,
  WatchRequest as WatchMessage,
} from "@drover/proto";
import { toServiceError } from "@drover/rpc";
import {
  clusterStateToWire,
  drainReplyToWire,
  drainRequestFromWire,
  explainReplyToWire,
  type WorkerOrder,
  watchRequestFromWire,
  workerOrderToWire,
  workerReportFromWire,
} from "@drover/wire";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { OrderSink } from "./fleet/join-streams.ts";
import type { StateSink } from "./fleet/routers.ts";
import { ServedStream } from "./served-stream.ts";
import type { Term } from "./term.ts";

/** Who leads, as the service asks it for each call. */
export interface Leadership {
  /** Undefined while this scheduler stands by. */
  readonly term: Term | undefined;
  readonly modelId: string;
  /** Every decision about the request that is remembered. */
  explain(requestId: string): readonly PlacementRecord[];
  /** What a standby answers with; names the leader where it is known. */
  notLeader(): Promise<DroverError>;
}

/** drover.internal.v1.Cluster on grpc-js: one Join stream for each worker, one Watch stream for each router. */
export function clusterService(leadership: Leadership): UntypedServiceImplementation {
  return {
    join: joinHandler(leadership),
    watch: watchHandler(leadership),
    explain: explainHandler(leadership),
    drain: drainHandler(leadership),
  };
}

function joinHandler(leadership: Leadership): handleBidiStreamingCall<ReportMessage, OrderMessage> {
  return (call) => {
    const { term } = leadership;
    let session: number | undefined;
    const stream = new ServedStream<WorkerOrder["kind"], OrderMessage>(call, () => {
      if (session !== undefined) term?.end(session);
    });
    const sink: OrderSink = {
      send: (order) => stream.put(order.kind, workerOrderToWire(order)),
      end: (error) => stream.end(error),
    };
    call.on("data", (message: ReportMessage) => {
      if (stream.ended || term === undefined) return;
      try {
        // The stream of a worker that was slow with its hello may outlive the leadership that it was opened under.
        if (term !== leadership.term) throw new DroverError("not_leader", "this scheduler does not lead any more");
        const report = workerReportFromWire(message);
        if (session !== undefined) term.report(session, report);
        else if (report.kind === "hello") session = term.join(report.hello, sink);
        else throw new DroverError("invalid_argument", "the first report is a hello");
      } catch (error) {
        stream.end(toDroverError(error));
      }
    });
    if (term === undefined) void leadership.notLeader().then((error) => stream.end(error));
  };
}

function watchHandler(leadership: Leadership): handleServerStreamingCall<WatchMessage, StateMessage> {
  return (call) => {
    const { term } = leadership;
    const stream = new ServedStream<"state", StateMessage>(call, () => term?.unwatch(sink));
    const sink: StateSink = {
      send: (state) => stream.put("state", clusterStateToWire(state)),
      end: (error) => stream.end(error),
    };
    if (term === undefined) {
      void leadership.notLeader().then((error) => stream.end(error));
      return;
    }
    try {
      const { modelId, routerId } = watchRequestFromWire(call.request);
      if (modelId !== leadership.modelId) throw otherModel(modelId, leadership.modelId);
      term.watch(routerId, sink);
    } catch (error) {
      stream.end(toDroverError(error));
    }
  };
}

function explainHandler(leadership: Leadership): handleUnaryCall<ExplainMessage, ExplainReplyMessage> {
  return (call, callback) => {
    if (leadership.term === undefined) {
      void leadership.notLeader().then((error) => callback(toServiceError(error)));
      return;
    }
    const records = leadership.explain(call.request.requestId);
    if (records.length > 0) callback(null, explainReplyToWire(records));
    else callback(toServiceError(new DroverError("not_found", "no decision about this request is remembered")));
  };
}

function drainHandler(leadership: Leadership): handleUnaryCall<DrainMessage, DrainReplyMessage> {
  return (call, callback) => {
    if (leadership.term === undefined) {
      void leadership.notLeader().then((error) => callback(toServiceError(error)));
      return;
    }
    try {
      callback(null, drainReplyToWire(leadership.term.drain(drainRequestFromWire(call.request))));
    } catch (error) {
      callback(toServiceError(toDroverError(error)));
    }
  };
}

function otherModel(asked: string, served: string): DroverError {
  return new DroverError("invalid_argument", `model ${asked}, the scheduler serves ${served}`, { field: "model_id" });
}
