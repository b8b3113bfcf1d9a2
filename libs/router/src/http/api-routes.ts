import { neverAborted } from "@drover/core";
import { GENERATION_ENDPOINTS, modelCard, modelList, type ServedModelFacts } from "@drover/openai";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Deployment } from "../deployment.ts";
import { serveGeneration } from "./http-generation.ts";
import type { HttpServerOptions } from "./http-server-options.ts";
import { addResponseRoutes, countTokens } from "./response-routes.ts";
import { detokenize, tokenize } from "./tokenize-routes.ts";

/** OpenAI's interface, and vLLM's routes for tokens. */
export function addApiRoutes(api: FastifyInstance, { deployments, logger }: HttpServerOptions): void {
  const deploymentOf = ({ body }: FastifyRequest) => deployments.reading(modelIn(body));
  const inferenceOf = (request: FastifyRequest) => deploymentOf(request).inference;
  for (const endpoint of GENERATION_ENDPOINTS)
    api.post(endpoint.path, (request, reply) =>
      serveGeneration(request, reply, deploymentOf(request), logger, endpoint),
    );
  addResponseRoutes(api, deployments);
  api.post("/v1/messages/count_tokens", (request) => countTokens(request.body, inferenceOf(request), neverAborted));
  api.get("/v1/models", () => modelList([...deployments].map(servedFacts)));
  api.get<{ Params: { "*": string } }>("/v1/models/*", ({ params }) =>
    modelCard(servedFacts(deployments.named(params["*"]))),
  );
  api.post("/tokenize", (request) => tokenize(request.body, inferenceOf(request), neverAborted));
  api.post("/detokenize", (request) => detokenize(request.body, inferenceOf(request)));
}

/** The name of the model that a body says, whatever the rest of it is. */
function modelIn(body: unknown): unknown {
  return typeof body === "object" && body !== null && "model" in body ? body.model : undefined;
}

function servedFacts({ model, inference }: Deployment): ServedModelFacts {
  const { modelId, createdMs } = model;
  return { modelId, createdMs, contextTokensMax: inference.facts.contextTokensMax };
}
