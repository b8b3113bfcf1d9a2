import { openApiDocument } from "@drover/openai";
import type { FastifyInstance } from "fastify";
import { modelServerMetrics } from "../metrics/model-server-metrics.ts";
import type { HttpServerOptions } from "./http-server-options.ts";

/** What is answered without an API key: health, metrics, and how the interface is used. */
export function addOpenRoutes(server: FastifyInstance, { deployments, metrics, ready }: HttpServerOptions): void {
  const document = JSON.stringify(openApiDocument());
  server.get("/health", () => ({ status: "ok" }));
  server.get("/ready", (_request, reply) => reply.code(ready() ? 200 : 503).send({ ready: ready() }));
  server.get("/metrics", async (_request, reply) => {
    const facts = [...deployments].map(({ modelId, clusterState, begunCount }) => ({
      modelId,
      state: clusterState,
      runningCount: begunCount,
    }));
    return reply
      .header("content-type", "text/plain; version=0.0.4; charset=utf-8")
      .send((await metrics.text()) + modelServerMetrics(facts));
  });
  server.get("/openapi.json", (_request, reply) =>
    reply.header("content-type", "application/json; charset=utf-8").send(document),
  );
}
