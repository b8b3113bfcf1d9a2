import { neverAborted } from "@drover/core";
import { inputItemsPage, type KeptNames, type KeptResponse, type PromptQuery } from "@drover/openai";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { receivedBody } from "../bodies/bodies.ts";
import type { Deployment } from "../deployment.ts";
import type { Deployments } from "../deployments.ts";
import { cancelBackground } from "./background-responses.ts";
import { giveResponse } from "./background-routes.ts";
import { clientSignal } from "./client-signal.ts";
import type { GenerationParts } from "./http-generation.ts";
import { type QueryString, queryParameter } from "./query-parameter.ts";
import { accountOf } from "./request-accounts.ts";
import type { BodyParts } from "./tokenize-routes.ts";

/** Responses that are kept: asked for again, and forgotten. */
export function addResponseRoutes(api: FastifyInstance, options: GenerationParts): void {
  const { deployments } = options;
  type Named = { Params: { response: string } };
  api.get<Named>("/v1/responses/:response", async (request, reply) => {
    const id = request.params.response;
    const found = await holderOf(deployments, ownerOf(request), id);
    return giveResponse(request, reply, { ...found, id }, options);
  });
  api.post<Named>("/v1/responses/:response/cancel", async (request) => {
    const [owner, id] = [ownerOf(request), request.params.response];
    const { deployment, kept } = await holderOf(deployments, owner, id);
    return cancelBackground(deployment, owner, id, kept);
  });
  api.get<Named & { Querystring: QueryString }>(
    "/v1/responses/:response/input_items",
    async ({ params, query, raw }) => {
      const [limit, order, after] = ["limit", "order", "after"].map((name) => queryParameter(query, name));
      const { kept } = await holderOf(deployments, ownerOf({ raw }), params.response);
      return inputItemsPage(kept, params.response, { limit, order, after });
    },
  );
  api.delete<Named>("/v1/responses/:response", async (request) => {
    const id = request.params.response;
    const { deployment } = await holderOf(deployments, ownerOf(request), id);
    await deployment.responses.forget(ownerOf(request), id, neverAborted);
    return { id, object: "response", deleted: true };
  });
}

const ownerOf = (request: Pick<FastifyRequest, "raw">): string => accountOf(request).tenant?.name ?? "";

/** Every model keeps its own, and a tenant finds only its own. Errors: `not_found`. */
async function holderOf(
  deployments: Deployments,
  owner: string,
  id: string,
): Promise<Readonly<{ deployment: Deployment; kept: KeptResponse }>> {
  for (const deployment of deployments) {
    const kept = await deployment.responses.get(owner, id, neverAborted);
    if (kept !== undefined) return { deployment, kept };
  }
  const deployment = deployments.named(undefined);
  return { deployment, kept: await deployment.responses.named(owner, id, neverAborted) };
}

/** POST /v1/messages/count_tokens. */
export async function countTokens(request: FastifyRequest, reply: FastifyReply, parts: BodyParts) {
  return { input_tokens: await promptLength(request, reply, "/v1/messages/count_tokens", parts) };
}

/** POST /v1/responses/input_tokens. */
export async function countInputTokens(request: FastifyRequest, reply: FastifyReply, parts: BodyParts) {
  const count = await promptLength(request, reply, "/v1/responses/input_tokens", parts);
  return { object: "response.input_tokens", input_tokens: count };
}

/** Tokens of the prompt that a body would give. */
async function promptLength(
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
  { bodies, deployments }: BodyParts,
): Promise<number> {
  const client = clientSignal(reply.raw);
  using body = receivedBody(request);
  const keptFor = (model: string | undefined, names: KeptNames) =>
    deployments.reading(model).responses.parts(ownerOf(request), names, client);
  const { model, query } = await bodies.read<Readonly<{ prompt: PromptQuery }>>(body, path, client, keptFor);
  const tokenIds = await deployments.reading(model).inference.tokenize(query().prompt, client);
  return tokenIds.length;
}
