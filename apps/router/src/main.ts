import { systemClock, toDroverError } from "@drover/core";
import { advertisedHost, attachEnding, attachParent } from "@drover/process";
import { ApiKeys, Router } from "@drover/router";
import { createLogger, createMetrics, openTracing, startAdminServer } from "@drover/telemetry";
import { loadServedModel } from "./load-model.ts";
import { openQueue } from "./queue-adapters.ts";
import { routerConfig } from "./router-config.ts";

/** What still holds the process open then is cut off. */
const SHUTDOWN_MS_MAX = 5000;

const config = routerConfig(process.argv.slice(2), process.env);
const parent = attachParent();
const logger = createLogger({ process: "router", level: config.logLevel });
const ending = attachEnding({ ...config, parentGone: parent.gone, clock: systemClock });
const metrics = createMetrics({ process: "router" });
const host = advertisedHost(config);

try {
  let router: Router | undefined;
  // Before anything that takes time, so that probes have somebody to ask.
  const adminServer = await startAdminServer({
    host: config.listen,
    port: config.adminPort,
    metrics,
    unready: () => (router === undefined ? "the tokenizer is being loaded" : router.unready),
    ending: ending.asked,
    stallAfterMs: config.stallAfter,
  });
  // Nobody waits for a router that does not listen yet.
  const leave = () => process.exit(0);
  ending.asked.addEventListener("abort", leave);
  await using tracing = await openTracing({ ...config, process: "router", instance: host, logger });
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
  const started = await Router.start({
    model,
    queue: adapters.queue,
    store: adapters.store,
    queueTrouble: adapters.trouble,
    queueInScheduler: config.queue === "scheduler",
    schedulers: config.scheduler,
    keys: await ApiKeys.load(config.apiKeyFile),
    requestsMax: config.maxRequests,
    queueWaitMsMax: config.maxQueueWait,
    readyWaitMsMax: config.maxReadyWait,
    host: config.listen,
    httpPort: config.httpPort,
    grpcPort: config.grpcPort,
    advertise: host,
    metrics,
    logger,
    tracer: tracing.tracer,
    ending,
    onReady: () => parent.announce({ kind: "ready" }),
  });
  router = started.router;
  ending.asked.removeEventListener("abort", leave);
  const addresses = { ...started.addresses, admin: `${host}:${adminServer.port}` };
  logger.info("router.listening", { ...addresses, model: model.modelId });
  parent.announce({ kind: "listening", addresses });
  await router.drained();
  setTimeout(() => process.exit(0), SHUTDOWN_MS_MAX).unref();
  await router.close();
  await adminServer.close();
  logger.info("router.ended");
} catch (error) {
  const fault = toDroverError(error);
  logger.error("router.failed", { code: fault.code, reason: fault.message });
  // Connections that are being made must not hold a process that serves nobody.
  process.exit(1);
}
// The rest of the grace is for what is still under way, and nothing is.
process.exit(0);
