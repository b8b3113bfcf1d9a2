import { GENERATION_ENDPOINTS, modelCard, modelList, type ServedModelFacts } from "@drover/openai";
import type { FastifyInstance } from "fastify";
import type { Bodies } from "../bodies/bodies.ts";
import type { Deployment } from "../deployment.ts";
import { serveGeneration } from "./http-generation.ts";
import type { HttpServerOptions } from "./http-server-options.ts";
import { type QueryString, queryParameter } from "./query-parameter.ts";
import { addResponseRoutes, countInputTokens, countTokens } from "./response-routes.ts";
import { detokenize, tokenize } from "./tokenize-routes.ts";
import { tokenizerInfo } from "./tokenizer-info.ts";

/** OpenAI's interface, and vLLM's routes for tokens. */
export function addApiRoutes(api: FastifyInstance, options: HttpServerOptions, bodies: Bodies): void {
  const { deployments, budgets, logger, streamWaitMs } = options;
  const parts = { bodies, deployments, budgets, logger, streamWaitMs };
  for (const endpoint of GENERATION_ENDPOINTS)
    api.post(endpoint.path, (request, reply) => serveGeneration(request, reply, endpoint, parts));
  addResponseRoutes(api, parts);
  api.post("/v1/messages/count_tokens", (request, reply) => countTokens(request, reply, parts));
  api.post("/v1/responses/input_tokens", (request, reply) => countInputTokens(request, reply, parts));
  api.get("/v1/models", () => modelList([...deployments].map(servedFacts)));
  api.get<{ Params: { "*": string } }>("/v1/models/*", ({ params }) =>
    modelCard(servedFacts(deployments.named(params["*"])), params["*"]),
  );
  api.get<{ Querystring: QueryString }>("/tokenizer_info", ({ query }) =>
    tokenizerInfo(deployments.named(queryParameter(query, "model")).model),
  );
  api.post("/tokenize", (request, reply) => tokenize(request, reply, parts));
  api.post("/detokenize", (request, reply) => detokenize(request, reply, parts));
}

function servedFacts({ model, inference }: Deployment): ServedModelFacts {
  const { modelId, aliases, createdMs } = model;
  return { modelId, aliases, createdMs, contextTokensMax: inference.facts.contextTokensMax };
}
