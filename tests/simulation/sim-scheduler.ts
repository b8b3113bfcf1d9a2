import { type LeaderLease, modelId, type PayloadStore, type QueueConsumer, silentLogger } from "@drover/core";
import { EmbeddedLease, EmbeddedPayloadStore, EmbeddedQueue, jobQueueService } from "@drover/queue";
import { Scheduler } from "@drover/scheduler";
import { type SimNetwork, type SimProcess, SimServer } from "@drover/testkit";
import { MODEL } from "./model.ts";
import { noMetrics } from "./no-metrics.ts";
import type { Seams } from "./seams.ts";
import { RedisLink, type RedisPlace, SimQueue, simLease } from "./sim-redis-link.ts";

export type SimSchedulerOptions = Readonly<{
  address: string;
  expectExperts: number;
  /** Every expert with so many workers. */
  holdersMin: number;
  seams: Seams;
  /** Absent: the queue is inside. */
  redis?: RedisPlace;
}>;

type Adapters = Readonly<{ queue: QueueConsumer; payloads: PayloadStore; lease: LeaderLease }>;

/** One life of a scheduler, with the queue inside or in Redis. */
export class SimScheduler {
  readonly process: SimProcess;
  readonly server: SimServer;
  readonly scheduler: Scheduler;
  /** Where it is inside. */
  readonly queue: EmbeddedQueue | undefined;
  readonly #ended = new AbortController();

  constructor(network: SimNetwork, process: SimProcess, options: SimSchedulerOptions) {
    const { address, expectExperts, holdersMin, seams, redis } = options;
    this.process = process;
    this.server = new SimServer(network, process, address);
    this.queue = redis === undefined ? new EmbeddedQueue(process) : undefined;
    const { queue, payloads, lease } =
      redis === undefined ? this.#inside(address, seams) : overRedis(network, process, redis, address);
    this.scheduler = new Scheduler({
      modelId: modelId(MODEL.name),
      schedulerId: process.newId(),
      expectExperts,
      replicas: { holdersMin, spareCount: 0 },
      queue: seams.consumer?.(queue, process) ?? queue,
      payloads,
      lease: seams.lease?.(lease) ?? lease,
      clock: process,
      logger: silentLogger,
      metrics: noMetrics,
      network: network.of(process),
    });
    this.scheduler.addTo(this.server.server);
  }

  run(): Promise<void> {
    return this.scheduler.run(this.#ended.signal);
  }

  #inside(address: string, seams: Seams): Adapters {
    const { process, server } = this;
    const queue = this.queue ?? new EmbeddedQueue(process);
    const payloads = new EmbeddedPayloadStore(process);
    const service = jobQueueService(queue, payloads);
    server.server.addService(...(seams.service?.(service, process) ?? service));
    return { queue, payloads, lease: new EmbeddedLease(address, process.now()) };
  }
}

function overRedis(network: SimNetwork, process: SimProcess, place: RedisPlace, address: string): Adapters {
  const link = new RedisLink(network, process, place);
  const queue = new SimQueue(link, process, place);
  return { queue, payloads: queue, lease: simLease(link, process, address) };
}
