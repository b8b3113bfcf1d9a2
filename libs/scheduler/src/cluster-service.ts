import { DroverError, modelId, routerId, toDroverError } from "@drover/core";
import type {
  ClusterState,
  DrainReply,
  DrainRequest,
  ExplainReply,
  ExplainRequest,
  WatchRequest,
  WorkerOrder,
  WorkerReport,
} from "@drover/proto";
import { toServiceError } from "@drover/rpc";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { OrderSink } from "./fleet/fleet.ts";
import { Outbox } from "./fleet/outbox.ts";
import type { StateSink } from "./fleet/routers.ts";
import type { Term } from "./term.ts";

/** Who leads, as the service asks it for each call. */
export interface Leadership {
  /** Undefined while this scheduler stands by. */
  readonly term: Term | undefined;
  readonly modelId: string;
  /** Every decision about the request that is remembered. */
  explain(requestId: string): ExplainReply;
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

function joinHandler(leadership: Leadership): handleBidiStreamingCall<WorkerReport, WorkerOrder> {
  return (call) => {
    const { term } = leadership;
    const outbox = new Outbox<string, WorkerOrder>(call);
    let session: number | undefined;
    let ended = false;
    const end = (error?: DroverError) => {
      if (ended) return;
      ended = true;
      outbox.close();
      if (error === undefined) call.end();
      else call.emit("error", toServiceError(error));
      if (term !== undefined && session !== undefined) term.end(session);
    };
    const sink: OrderSink = { send: (kind, order) => outbox.put(kind, order), end };
    call.on("data", (report: WorkerReport) => {
      if (ended || term === undefined) return;
      try {
        // The stream of a worker that was slow with its hello may outlive the leadership that it was opened under.
        if (term !== leadership.term) throw new DroverError("not_leader", "this scheduler does not lead any more");
        if (session !== undefined) term.report(session, report);
        else if (report.report.case === "hello") session = term.join(report.report.value, sink);
        else throw new DroverError("invalid_argument", "the first report is a hello");
      } catch (error) {
        end(toDroverError(error));
      }
    });
    call.on("end", () => end());
    call.on("cancelled", () => end());
    call.on("error", () => end());
    if (term === undefined) void leadership.notLeader().then(end);
  };
}

function watchHandler(leadership: Leadership): handleServerStreamingCall<WatchRequest, ClusterState> {
  return (call) => {
    const { term } = leadership;
    const outbox = new Outbox<"state", ClusterState>(call);
    let ended = false;
    const end = (error?: DroverError) => {
      if (ended) return;
      ended = true;
      outbox.close();
      if (error === undefined) call.end();
      else call.emit("error", toServiceError(error));
      term?.unwatch(sink);
    };
    const sink: StateSink = { send: (state) => outbox.put("state", state), end };
    call.on("cancelled", () => end());
    call.on("error", () => end());
    if (term === undefined) {
      void leadership.notLeader().then(end);
      return;
    }
    try {
      checkWatch(call.request, leadership.modelId);
      term.watch(routerId(call.request.routerId), sink);
    } catch (error) {
      end(toDroverError(error));
    }
  };
}

function explainHandler(leadership: Leadership): handleUnaryCall<ExplainRequest, ExplainReply> {
  return (call, callback) => {
    if (leadership.term === undefined) {
      void leadership.notLeader().then((error) => callback(toServiceError(error)));
      return;
    }
    const reply = leadership.explain(call.request.requestId);
    if (reply.decisions.length > 0) callback(null, reply);
    else callback(toServiceError(new DroverError("not_found", "no decision about this request is remembered")));
  };
}

function drainHandler(leadership: Leadership): handleUnaryCall<DrainRequest, DrainReply> {
  return (call, callback) => {
    if (leadership.term === undefined) {
      void leadership.notLeader().then((error) => callback(toServiceError(error)));
      return;
    }
    try {
      callback(null, leadership.term.drain(call.request));
    } catch (error) {
      callback(toServiceError(toDroverError(error)));
    }
  };
}

function checkWatch(request: WatchRequest, servedModel: string): void {
  if (modelId(request.modelId) !== servedModel) {
    const message = `model ${request.modelId}, the scheduler serves ${servedModel}`;
    throw new DroverError("invalid_argument", message, { field: "model_id" });
  }
}
