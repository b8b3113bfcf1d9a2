import type { ExpertExchange, LeaderLease, PayloadStore, QueueConsumer, QueueProducer, StepRunner } from "@drover/core";
import type { OpenStream, RpcService } from "@drover/rpc";
import type { StoredSequences } from "@drover/sequences";
import type { SimProcess } from "@drover/testkit";
import type { WorkerOrder, WorkerReport } from "@drover/wire";

/** A worker's stream to schedulers, as it is opened. */
export type Join = OpenStream<WorkerReport, WorkerOrder | undefined>;

/**
 * Where a test may stand between two parts of the product: to watch, or to plant a fault that it must find. Each takes what is there and gives
 * what the other side gets in its place.
 */
export type Seams = Readonly<{
  /** A worker's stream to schedulers. */
  join?: (join: Join, worker: SimProcess) => Join;
  /** What a process serves. */
  service?: (service: RpcService, process: SimProcess) => RpcService;
  exchange?: (exchange: ExpertExchange) => ExpertExchange;
  runner?: (runner: StepRunner) => StepRunner;
  sequences?: (sequences: StoredSequences) => StoredSequences;
  producer?: (producer: QueueProducer & PayloadStore) => QueueProducer & PayloadStore;
  lease?: (lease: LeaderLease) => LeaderLease;
  consumer?: (consumer: QueueConsumer, scheduler: SimProcess) => QueueConsumer;
}>;
