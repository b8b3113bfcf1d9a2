import { randomUUID } from "node:crypto";
import { modelId, systemClock } from "@drover/core";
import { serve } from "@drover/process";
import { createServer, listen } from "@drover/rpc";
import { Scheduler } from "@drover/scheduler";
import { askPulse } from "@drover/telemetry";
import { clusterStateToWire, drainReplyToWire, explainReplyToWire } from "@drover/wire";
import { SCHEDULER_USAGE, schedulerFlags } from "./config.ts";
import { openQueue } from "./queue-adapters.ts";

await serve(
  {
    kind: "scheduler",
    usage: SCHEDULER_USAGE,
    flags: schedulerFlags,
    starting: "the queue is being opened",
    identify: () => {
      const id = `scheduler-${randomUUID()}`;
      return { id, logged: { scheduler: id } };
    },
  },
  async ({ config, id, host, ending, logger, metrics, tracer, resources }) => {
    const model = modelId(config.modelName);
    const server = createServer();
    const grpc = `${host}:${await listen(server, `${config.listen}:${config.grpcPort}`)}`;
    const { queue: url, cluster } = config;
    const adapters = resources.use(
      openQueue({ url, cluster, modelId: model, address: grpc, clock: systemClock, logger }),
    );
    const { queue, payloads, lease } = adapters;
    const { expectExperts, beginWithin: beginWithinMs, expertHolders, expertReplicas } = config;
    const planned = { expectExperts, replicas: { holdersMin: expertHolders, spareCount: expertReplicas } };
    const ports = { queue, payloads, lease, clock: systemClock, logger, metrics, tracer };
    const scheduler = new Scheduler({ ...ports, askPulse, modelId: model, schedulerId: id, ...planned, beginWithinMs });
    adapters.addTo(server);
    scheduler.addTo(server);
    // What nobody leads any more is not answered: who asks turns to the next leader.
    resources.defer(() => server.forceShutdown());
    return {
      addresses: { grpc },
      facts: { queue: adapters.kind },
      ready: Promise.resolve(),
      unready: () => scheduler.trouble ?? null,
      finished: () => scheduler.run(ending.refusing),
      routes: {
        "/debug/cluster": () => {
          const state = scheduler.state();
          return state === undefined ? { standby: true } : clusterStateToWire(state);
        },
        "/debug/placement": (query) => explainReplyToWire(scheduler.explain(query.get("request") ?? "")),
      },
      actions: {
        "/drain": async (query) => {
          const asked = {
            workerId: query.get("worker") ?? "",
            undo: query.get("undo") === "true",
            incarnation: query.get("incarnation") || undefined,
          };
          return drainReplyToWire(await scheduler.drain(asked, ending.over));
        },
      },
    };
  },
);
