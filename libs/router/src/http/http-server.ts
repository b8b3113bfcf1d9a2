import { toJson } from "@bufbuild/protobuf";
import { DroverError, type Logger, neverAborted } from "@drover/core";
import { GENERATION_ENDPOINTS, modelCard, modelList } from "@drover/openai";
import { type ClusterState, ClusterStateSchema, type ExplainReply, ExplainReplySchema } from "@drover/proto";
import type { Metrics } from "@drover/telemetry";
import { type FastifyInstance, fastify } from "fastify";
import type { ApiKeys } from "../api-keys.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import type { Inference } from "../requests/inference.ts";
import { discardBody } from "./discard-body.ts";
import { answerBrokenRequest, fromHttpError, sendError } from "./http-errors.ts";
import { serveGeneration } from "./http-generation.ts";
import { parseJson } from "./request-json.ts";
import { detokenize, tokenize } from "./tokenize-routes.ts";

export type HttpServerOptions = Readonly<{
  inference: Inference;
  keys: ApiKeys;
  metrics: Metrics;
  /** What an endpoint picker in front of the routers asks for besides. */
  modelServerMetrics: () => string;
  logger: Logger;
  ready: () => boolean;
  /** Aborts when the router was asked to end: clients are told to connect anew, to another one. */
  ending: AbortSignal;
  clusterState: () => ClusterState | undefined;
  /** Why a request went where it went. */
  explain: (requestId: string, signal: AbortSignal) => Promise<ExplainReply>;
}>;

/** The OpenAI interface, vLLM's tokenizer routes, and the router's own health, metrics and cluster view. Not yet listening. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const { inference, keys, metrics, modelServerMetrics, logger, ready, ending, clusterState, explain } = options;
  const { model } = inference;
  const server = fastify({
    bodyLimit: BODY_BYTES_MAX,
    keepAliveTimeout: 75_000,
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true },
    frameworkErrors: (error, _request, reply) => sendError(reply, fromHttpError(error)),
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket),
  });
  server.addHook("onRequest", async (_request, reply) => {
    if (ending.aborted) reply.raw.setHeader("connection", "close");
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => {
    try {
      done(null, parseJson(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });
  server.setErrorHandler(async (error, request, reply) => {
    const fault = fromHttpError(error);
    if (fault.code === "payload_too_large") await discardBody(request.raw);
    if (fault.code === "internal") logger.error("http.internal_error", { reason: fault.message, stack: fault.stack });
    return sendError(reply, fault);
  });
  server.setNotFoundHandler((request, reply) =>
    sendError(reply, new DroverError("not_found", `there is no ${request.method} ${request.url.split("?")[0]}`)),
  );

  server.get("/health", () => ({ status: "ok" }));
  server.get("/ready", (_request, reply) => reply.code(ready() ? 200 : 503).send({ ready: ready() }));
  server.get("/metrics", async (_request, reply) =>
    reply
      .header("content-type", "text/plain; version=0.0.4; charset=utf-8")
      .send((await metrics.text()) + modelServerMetrics()),
  );

  server.register(async (api) => {
    api.addHook("onRequest", async (request) => keys.check(request.headers.authorization));
    api.get("/debug/cluster", () => {
      const state = clusterState();
      return state === undefined ? { ready: false } : toJson(ClusterStateSchema, state, { alwaysEmitImplicit: true });
    });
    api.get<{ Querystring: { request?: string } }>("/debug/placement", async (request) => {
      const asked = request.query.request;
      if (asked === undefined || asked === "")
        throw new DroverError("invalid_argument", "names a request", { field: "request" });
      // A client knows it by the id of its answer.
      const reply = await explain(asked.replace(/^(chatcmpl|cmpl)-/, ""), neverAborted);
      return toJson(ExplainReplySchema, reply, { alwaysEmitImplicit: true });
    });
    const served = () => ({
      modelId: model.modelId,
      createdMs: model.createdMs,
      contextTokensMax: inference.facts.contextTokensMax,
    });
    api.get("/v1/models", () => modelList([served()]));
    api.get<{ Params: { "*": string } }>("/v1/models/*", (request) => {
      if (request.params["*"] !== model.modelId)
        throw new DroverError("model_not_found", "the model does not exist", { field: "model" });
      return modelCard(served());
    });
    api.post("/tokenize", (request) => tokenize(request.body, inference, neverAborted));
    api.post("/detokenize", (request) => detokenize(request.body, inference));
    for (const endpoint of GENERATION_ENDPOINTS)
      api.post(endpoint.path, (request, reply) => serveGeneration(request, reply, inference, logger, endpoint));
  });
  return server;
}
