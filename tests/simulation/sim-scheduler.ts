import { modelId, silentLogger } from "@drover/core";
import { EmbeddedLease, EmbeddedPayloadStore, EmbeddedQueue, jobQueueService } from "@drover/queue";
import { Scheduler } from "@drover/scheduler";
import { type SimNetwork, type SimProcess, SimServer } from "@drover/testkit";
import { MODEL } from "./model.ts";
import { noMetrics } from "./no-metrics.ts";
import type { Seams } from "./seams.ts";

export type SimSchedulerOptions = Readonly<{ address: string; expectExperts: number; seams: Seams }>;

/** One life of a scheduler with the queue inside. */
export class SimScheduler {
  readonly process: SimProcess;
  readonly server: SimServer;
  readonly scheduler: Scheduler;
  readonly queue: EmbeddedQueue;
  readonly #ended = new AbortController();

  constructor(network: SimNetwork, process: SimProcess, { address, expectExperts, seams }: SimSchedulerOptions) {
    this.process = process;
    this.server = new SimServer(network, process, address);
    this.queue = new EmbeddedQueue(process);
    const payloads = new EmbeddedPayloadStore(process);
    this.scheduler = new Scheduler({
      modelId: modelId(MODEL.name),
      schedulerId: process.newId(),
      expectExperts,
      queue: seams.consumer?.(this.queue, process) ?? this.queue,
      payloads,
      lease: new EmbeddedLease(address, Math.round(process.now())),
      clock: process,
      logger: silentLogger,
      metrics: noMetrics,
      network: network.of(process),
    });
    const queueService = jobQueueService(this.queue, payloads);
    this.server.server.addService(...(seams.service?.(queueService, process) ?? queueService));
    this.scheduler.addTo(this.server.server);
  }

  run(): Promise<void> {
    return this.scheduler.run(this.#ended.signal);
  }
}
