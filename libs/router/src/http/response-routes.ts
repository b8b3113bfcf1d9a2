import { neverAborted } from "@drover/core";
import type { KeptResponse, PromptQuery } from "@drover/openai";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { receivedBody } from "../bodies/bodies.ts";
import type { Deployment } from "../deployment.ts";
import type { Deployments } from "../deployments.ts";
import { clientSignal } from "./client-signal.ts";
import { accountOf } from "./request-accounts.ts";
import type { BodyParts } from "./tokenize-routes.ts";

/** Responses that are kept: asked for again, and forgotten. */
export function addResponseRoutes(api: FastifyInstance, deployments: Deployments): void {
  type Named = { Params: { response: string } };
  api.get<Named>("/v1/responses/:response", async (request) => {
    const { kept } = await holderOf(deployments, ownerOf(request), request.params.response);
    return kept.response;
  });
  api.delete<Named>("/v1/responses/:response", async (request) => {
    const id = request.params.response;
    const { deployment } = await holderOf(deployments, ownerOf(request), id);
    await deployment.responses.forget(ownerOf(request), id, neverAborted);
    return { id, object: "response", deleted: true };
  });
}

const ownerOf = (request: FastifyRequest): string => accountOf(request).tenant?.name ?? "";

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
export async function countTokens(request: FastifyRequest, reply: FastifyReply, { bodies, deployments }: BodyParts) {
  const client = clientSignal(reply.raw);
  using body = receivedBody(request);
  const path = "/v1/messages/count_tokens";
  const { model, query } = await bodies.read<Readonly<{ prompt: PromptQuery }>>(body, path, client);
  const tokenIds = await deployments.reading(model).inference.tokenize(query().prompt, client);
  return { input_tokens: tokenIds.length };
}
