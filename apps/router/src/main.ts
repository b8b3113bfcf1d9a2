import { hostname } from "node:os";
import { attachParent } from "@drover/config";
import { systemClock, toDroverError } from "@drover/core";
import { ApiKeys, Router } from "@drover/frontend";
import { createLogger, createMetrics } from "@drover/telemetry";
import { loadServedModel } from "./load-model.ts";
import { openQueue } from "./queue-adapters.ts";
import { routerConfig } from "./router-config.ts";

/** What still holds the process open then is cut off. */
const SHUTDOWN_MS_MAX = 5000;
const WILDCARDS = ["0.0.0.0", "::"];

const config = routerConfig(process.argv.slice(2), process.env);
const parent = attachParent();
const logger = createLogger({ process: "router", level: config.logLevel });
const ended = new Promise<void>((resolve) => {
  for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => resolve());
  parent.gone.addEventListener("abort", () => resolve(), { once: true });
  if (parent.gone.aborted) resolve();
});

try {
  await using loaded = await loadServedModel(config);
  const { model } = loaded;
  await using adapters = openQueue({
    url: config.queue,
    schedulers: config.scheduler,
    cluster: config.cluster,
    modelId: model.modelId,
    clock: systemClock,
    logger,
  });
  const { router, addresses } = await Router.start({
    model,
    queue: adapters.queue,
    store: adapters.store,
    queueInScheduler: config.queue === "scheduler",
    schedulers: config.scheduler,
    keys: await ApiKeys.load(config.apiKeyFile),
    requestsMax: config.maxRequests,
    queueWaitMsMax: config.maxQueueWait,
    host: config.listen,
    httpPort: config.httpPort,
    grpcPort: config.grpcPort,
    advertise: config.advertise ?? (WILDCARDS.includes(config.listen) ? hostname() : config.listen),
    metrics: createMetrics({ process: "router" }),
    logger,
    onReady: () => parent.announce({ kind: "ready" }),
  });
  logger.info("router.listening", { ...addresses, model: model.modelId });
  parent.announce({ kind: "listening", addresses });
  await ended;
  setTimeout(() => process.exit(0), SHUTDOWN_MS_MAX).unref();
  await router.close();
  logger.info("router.ended");
} catch (error) {
  const fault = toDroverError(error);
  logger.error("router.failed", { code: fault.code, reason: fault.message });
  // Connections that are being made must not hold a process that serves nobody.
  process.exit(1);
}
