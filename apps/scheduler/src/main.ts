import { randomUUID } from "node:crypto";
import { DroverError, modelId, systemClock } from "@drover/core";
import { advertisedHost, attachEnding, attachParent } from "@drover/process";
import { createServer, listen } from "@drover/rpc";
import { Scheduler } from "@drover/scheduler";
import { createLogger, createMetrics, openTracing, startAdminServer } from "@drover/telemetry";
import { openQueue } from "./queue-adapters.ts";
import { schedulerConfig } from "./scheduler-config.ts";

const config = schedulerConfig(process.argv.slice(2), process.env);
const schedulerId = `scheduler-${randomUUID()}`;
const logger = createLogger({ process: "scheduler", level: config.logLevel, fields: { scheduler: schedulerId } });

async function main(): Promise<void> {
  const parent = attachParent();
  const ending = attachEnding({ ...config, parentGone: parent.gone, clock: systemClock });
  // What is still under way then is cut off: the lease runs out by itself, and so do the locks of jobs.
  ending.over.addEventListener("abort", () => process.exit(0), { once: true });
  const metrics = createMetrics({ process: "scheduler" });
  await using tracing = await openTracing({ ...config, process: "scheduler", instance: schedulerId, logger });
  const model = modelId(config.modelName);
  const host = advertisedHost(config);
  const server = createServer();
  const grpc = `${host}:${await listen(server, `${config.listen}:${config.grpcPort}`)}`;
  const { queue: url, cluster } = config;
  await using adapters = openQueue({ url, cluster, modelId: model, address: grpc, clock: systemClock, logger });
  const { queue, payloads, lease } = adapters;
  const { expectExperts, beginWithin: beginWithinMs } = config;
  const ports = { queue, payloads, lease, clock: systemClock, logger, metrics, tracer: tracing.tracer };
  const scheduler = new Scheduler({ ...ports, modelId: model, schedulerId, expectExperts, beginWithinMs });
  adapters.addTo(server);
  scheduler.addTo(server);
  const routes = {
    "/debug/cluster": () => scheduler.state() ?? { standby: true },
    "/debug/placement": (query: URLSearchParams) => scheduler.explain(query.get("request") ?? ""),
  };
  const actions = {
    "/drain": (query: URLSearchParams) => {
      const incarnation = query.get("incarnation") ?? "";
      return scheduler.drain(
        { workerId: query.get("worker") ?? "", undo: query.get("undo") === "true", incarnation },
        ending.over,
      );
    },
  };
  const adminServer = await startAdminServer({
    host: config.listen,
    port: config.adminPort,
    metrics,
    unready: () => scheduler.trouble ?? null,
    ending: ending.asked,
    stallAfterMs: config.stallAfter,
    routes,
    actions,
  });
  const admin = `${host}:${adminServer.port}`;
  logger.info("scheduler.listening", { grpc, admin, queue: adapters.kind });
  parent.announce({ kind: "listening", addresses: { grpc, admin } });
  parent.announce({ kind: "ready" });
  await scheduler.run(ending.refusing);
  server.forceShutdown();
  await adminServer.close();
  logger.info("scheduler.ended");
}

try {
  await main();
  // The rest of the grace is for what is still under way, and nothing is.
  process.exit(0);
} catch (error) {
  // A fault is said in a sentence; a bug crashes with its stack.
  if (!(error instanceof DroverError)) throw error;
  logger.error("scheduler.failed", { code: error.code, message: error.message });
  process.exit(1);
}
