import { type Clock, type QueueProducer, silentLogger } from "@drover/core";
import type { Certificates } from "@drover/rpc";
import { createMetrics } from "@drover/telemetry";
import { ApiKeys } from "../api-keys.ts";
import type { BodyLimits } from "../bodies/bodies.ts";
import type { MemoryLimits } from "../memory/memory-budgets.ts";
import { Router } from "../router.ts";
import type { RouterEnding } from "../router-ending.ts";
import type { ServedImages } from "../served-model.ts";
import type { FakeCluster } from "./fake-cluster.ts";
import { tinyModel } from "./tiny-model.ts";

export type TestRouterOptions = Readonly<{
  requestsMax?: number;
  readyWaitMsMax?: number;
  keys?: readonly string[];
  corsOrigins?: readonly string[];
  page?: boolean;
  /** How the model reads images; it reads none without. */
  images?: ServedImages;
  ending?: RouterEnding;
  queueTrouble?: () => string | null;
  /** What takes the jobs; the cluster itself unless given. */
  queue?: QueueProducer;
  /** Clusters of other models that it serves besides. */
  others?: readonly FakeCluster[];
  clock?: Clock;
  bodies?: BodyLimits;
  memory?: Partial<MemoryLimits>;
  certificates?: Certificates;
  connectionsMax?: number;
}>;

/** A real router on free ports of the loopback, before a cluster that the test plays. */
export async function startTestRouter(cluster: FakeCluster, options: TestRouterOptions) {
  const { requestsMax = 4, readyWaitMsMax = 60_000, keys = [], images, ending, queueTrouble, clock } = options;
  const { others = [], bodies, certificates } = options;
  const isReady = Promise.withResolvers<void>();
  const { router, addresses } = await Router.start({
    deployments: [
      {
        model: {
          ...tinyModel(),
          aliases: ["small"],
          images,
          config: { vocabSize: 258, maxPositionEmbeddings: 20_000 },
        },
        queue: options.queue ?? cluster,
        store: cluster,
        queueInScheduler: true,
        schedulers: [cluster.address],
        readyWaitMsMax,
        ...(queueTrouble && { queueTrouble }),
      },
      ...others.map((other) => ({
        model: { ...tinyModel(), modelId: other.modelId },
        queue: other,
        store: other,
        queueInScheduler: true,
        schedulers: [other.address],
        readyWaitMsMax,
      })),
    ],
    keys: ApiKeys.of(keys),
    ...(options.corsOrigins && { corsOrigins: options.corsOrigins }),
    ...(options.page !== undefined && { page: options.page }),
    requestsMax,
    version: "0.0.0-test",
    host: "127.0.0.1",
    advertise: "127.0.0.1",
    httpPort: 0,
    grpcPort: 0,
    metrics: createMetrics({ process: "router" }),
    logger: silentLogger,
    onReady: isReady.resolve,
    ...(ending && { ending }),
    ...(clock && { clock }),
    ...(bodies && { bodies }),
    ...(options.memory && { memory: options.memory }),
    ...(certificates && { certificates }),
    ...(options.connectionsMax !== undefined && { connectionsMax: options.connectionsMax }),
  });
  return {
    router,
    url: `${certificates ? "https" : "http"}://${addresses.http}`,
    grpc: addresses.grpc,
    ready: isReady.promise,
  };
}
