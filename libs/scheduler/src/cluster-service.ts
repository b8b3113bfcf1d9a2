import { DroverError, toDroverError } from "@drover/core";
import type { PlacementRecord } from "@drover/fleet";
import { Cluster, type WorkerOrder as OrderMessage, type ClusterState as StateMessage } from "@drover/proto";
import { type RpcHandlers, type RpcService, rpcService } from "@drover/rpc";
import {
  ClusterStateWriter,
  drainReplyToWire,
  drainRequestFromWire,
  explainReplyToWire,
  type WorkerOrder,
  watchRequestFromWire,
  workerOrderToWire,
  workerReportFromWire,
} from "@drover/wire";
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

/** drover.internal.v1.Cluster: one Join stream for each worker, one Watch stream for each router. */
export function clusterService(leadership: Leadership): RpcService {
  return rpcService(Cluster, {
    join: joinHandler(leadership),
    watch: watchHandler(leadership),
    explain: async ({ requestId }) => {
      await leadingTerm(leadership);
      const records = leadership.explain(requestId);
      if (records.length > 0) return explainReplyToWire(records);
      throw new DroverError("not_found", "no decision about this request is remembered");
    },
    drain: async (request) => drainReplyToWire((await leadingTerm(leadership)).drain(drainRequestFromWire(request))),
  });
}

function joinHandler(leadership: Leadership): RpcHandlers<typeof Cluster>["join"] {
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
    call.on("data", (message) => {
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

function watchHandler(leadership: Leadership): RpcHandlers<typeof Cluster>["watch"] {
  return (call) => {
    const { term } = leadership;
    const states = new ClusterStateWriter();
    const { keepsExperts } = call.request;
    const stream = new ServedStream<"state", StateMessage>(call, () => term?.unwatch(sink));
    const sink: StateSink = {
      send: (state) => stream.put("state", states.write(state, { whole: !keepsExperts || stream.isBlocked })),
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

/** Errors: `not_leader` from a scheduler that stands by. */
async function leadingTerm({ term, notLeader }: Leadership): Promise<Term> {
  if (term === undefined) throw await notLeader();
  return term;
}

function otherModel(asked: string, served: string): DroverError {
  return new DroverError("invalid_argument", `model ${asked}, the scheduler serves ${served}`, { field: "model_id" });
}
