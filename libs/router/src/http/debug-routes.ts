import { toJson } from "@bufbuild/protobuf";
import { DroverError, neverAborted } from "@drover/core";
import { GENERATION_ENDPOINTS } from "@drover/openai";
import { ClusterStateSchema, ExplainReplySchema } from "@drover/proto";
import { clusterStateToWire, explainReplyToWire } from "@drover/wire";
import type { FastifyInstance } from "fastify";
import type { HttpServerOptions } from "./http-server-options.ts";
import { type QueryString, queryParameter } from "./query-parameter.ts";

type Query = Readonly<{ Querystring: QueryString }>;

const ID_PREFIXES = GENERATION_ENDPOINTS.map(({ idPrefix }) => idPrefix);

/** What an operator asks of a model's cluster. */
export function addDebugRoutes(api: FastifyInstance, { deployments, usage }: HttpServerOptions): void {
  api.get("/debug/usage", () => ({ tenants: usage.export() }));
  api.get<Query>("/debug/cluster", ({ query }) => {
    const state = deployments.named(queryParameter(query, "model")).clusterState;
    if (state === undefined) return { ready: false };
    return toJson(ClusterStateSchema, clusterStateToWire(state), { alwaysEmitImplicit: true });
  });
  api.get<Query>("/debug/placement", async ({ query }) => {
    const request = queryParameter(query, "request");
    const deployment = deployments.named(queryParameter(query, "model"));
    if (request === undefined || request === "")
      throw new DroverError("invalid_argument", "names a request", { field: "request" });
    const { name, records } = await deployment.explain(requestIdOf(request), neverAborted);
    const explained = toJson(ExplainReplySchema, explainReplyToWire(records), { alwaysEmitImplicit: true });
    return { ...(explained as object), ...(name !== undefined && { xRequestId: name }) };
  });
}

/** A client knows a request by the id of its answer. */
function requestIdOf(answerId: string): string {
  const prefix = ID_PREFIXES.find((each) => answerId.startsWith(each)) ?? "";
  return answerId.slice(prefix.length);
}
