import { openApiDocument } from "@drover/openai";
import type { FastifyInstance, FastifyReply } from "fastify";
import { modelServerMetrics } from "../metrics/model-server-metrics.ts";
import type { HttpServerOptions } from "./http-server-options.ts";
import { addPageRoutes } from "./page-routes.ts";

const WELCOME = `This is a router of Drover. It serves Llama 4 models by OpenAI's interface and speaks JSON.

  POST /v1/chat/completions   answers a conversation
  POST /v1/completions        continues a text
  GET  /v1/models             lists the served models
  GET  /openapi.json          describes all of the interface
  GET  /ready                 tells whether requests can be served now
  GET  /metrics               has the metrics, for Prometheus

Clients of OpenAI's interface take this address with /v1 behind it as their base URL. At a terminal: drover chat --url URL;
in a browser this address shows a page.
`;

/** What is answered without an API key: health, metrics, and how the interface is used. */
export function addOpenRoutes(
  server: FastifyInstance,
  { deployments, metrics, ready, version, page }: HttpServerOptions,
): void {
  const document = JSON.stringify(openApiDocument());
  const welcome = (reply: FastifyReply) => reply.header("content-type", "text/plain; charset=utf-8").send(WELCOME);
  if (page) addPageRoutes(server, welcome);
  else server.get("/", (_request, reply) => welcome(reply));
  server.get("/health", () => ({ status: "ok" }));
  server.get("/ping", () => ({ status: "ok" }));
  server.get("/version", () => ({ version }));
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
