import { neverAborted } from "@drover/core";
import type { KeptResponse, PromptQuery } from "@drover/openai";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { receivedBody } from "../bodies/bodies.ts";
import type { Deployment } from "../deployment.ts";
import type { Deployments } from "../deployments.ts";
import { clientSignal } from "./client-signal.ts";
import type { BodyParts } from "./tokenize-routes.ts";

/** Responses that are kept: asked for again, and forgotten. */
export function addResponseRoutes(api: FastifyInstance, deployments: Deployments): void {
  type Named = { Params: { response: string } };
  api.get<Named>("/v1/responses/:response", async ({ params }) => {
    const { kept } = await holderOf(deployments, params.response);
    return kept.response;
  });
  api.delete<Named>("/v1/responses/:response", async ({ params }) => {
    const { deployment } = await holderOf(deployments, params.response);
    await deployment.responses.forget(params.response, neverAborted);
    return { id: params.response, object: "response", deleted: true };
  });
}

/** Every model keeps its own. Errors: `not_found`. */
async function holderOf(
  deployments: Deployments,
  id: string,
): Promise<Readonly<{ deployment: Deployment; kept: KeptResponse }>> {
  const [first, ...others] = deployments;
  for (const deployment of others) {
    const kept = await deployment.responses.get(id, neverAborted);
    if (kept !== undefined) return { deployment, kept };
  }
  const deployment = first ?? deployments.named(undefined);
  return { deployment, kept: await deployment.responses.named(id, neverAborted) };
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
