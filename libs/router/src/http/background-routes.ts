import { DroverError, neverAborted } from "@drover/core";
import { GENERATION_ENDPOINTS, type GenerationQuery, type KeptNames, type KeptResponse } from "@drover/openai";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Bodies, ReceivedBody } from "../bodies/bodies.ts";
import { type BodyBlocks, joined } from "../bodies/body-blocks.ts";
import type { Deployment } from "../deployment.ts";
import { BACKGROUND_BODY_BYTES_MAX } from "../limits.ts";
import {
  type BackgroundQuery,
  backgroundAnswer,
  backgroundBody,
  beginBackground,
  isPending,
  isUnderWay,
  statusOf,
} from "./background-responses.ts";
import { clientSignal } from "./client-signal.ts";
import { incoming } from "./incoming.ts";
import { sendJson } from "./json-reply.ts";
import { sendRecorded } from "./keyed-generation.ts";
import { type QueryString, queryParameter } from "./query-parameter.ts";
import { accountOf } from "./request-accounts.ts";

const PATH = "/v1/responses";

/** A copy of a body that may ask for an answer in the background, against the same budget; undefined where it does not, or is too large. Errors: `overloaded`. */
export function backgroundBytes(bodies: Bodies, { blocks, byteLength }: BodyBlocks): ReceivedBody | undefined {
  if (byteLength > BACKGROUND_BODY_BYTES_MAX) return undefined;
  const bytes = Buffer.concat(blocks);
  return bytes.includes('"background"') ? bodies.take(new Uint8Array(bytes)) : undefined;
}

/** Begins a response in the background, and tells it or, where that is asked for, its events. */
export async function serveBackground(
  reply: FastifyReply,
  query: BackgroundQuery,
  body: ReceivedBody | undefined,
  client: AbortSignal,
  waitMs: number,
): Promise<FastifyReply> {
  if (body === undefined)
    throw new DroverError(
      "payload_too_large",
      `the body of a response in the background may have at most ${BACKGROUND_BODY_BYTES_MAX} bytes`,
    );
  const response = await beginBackground(query, joined(body.blocks.blocks));
  if (query.queries()[0]?.reply.stream !== true) return sendJson(reply, response);
  const { id } = response as Readonly<{ id: string }>;
  const answer = await backgroundAnswer(query, id);
  return sendRecorded(reply, answer, { isStream: true, lastEventId: undefined, waitMs }, client);
}

/** A kept response, and where it is. */
type Found = Readonly<{ deployment: Deployment; kept: KeptResponse; id: string }>;

/** Gives a kept response: as events where that is asked for, and else as it stands. What nobody computes any more goes on here. Errors: `invalid_argument` by the parameter. */
export async function giveResponse(
  request: FastifyRequest,
  reply: FastifyReply,
  { deployment, kept, id }: Found,
  { bodies, streamWaitMs }: Readonly<{ bodies: Bodies; streamWaitMs: number }>,
): Promise<unknown> {
  const query = request.query as QueryString;
  const owner = accountOf(request).tenant?.name ?? "";
  const isStream = queryParameter(query, "stream") === "true";
  const after = queryParameter(query, "starting_after");
  if (after !== undefined && !/^\d{1,9}$/.test(after))
    throw new DroverError("invalid_argument", "must be the sequence_number of an event", { field: "starting_after" });
  if (after !== undefined && !isStream)
    throw new DroverError("invalid_argument", "is only allowed with stream", { field: "starting_after" });
  const goesOn = !isPending(statusOf(kept)) || (await isUnderWay(deployment, owner, id));
  if (goesOn && !isStream) return kept.response;
  const body = await backgroundBody(deployment, owner, id);
  if (body === undefined && !isStream) return kept.response;
  if (body === undefined)
    throw new DroverError("invalid_argument", "only a response in the background has events to give again", {
      field: "stream",
    });
  const answer = await backgroundAnswer(await readAgain(request, deployment, bodies, body), id);
  if (!isStream) return kept.response;
  const lastEventId = after;
  return sendRecorded(reply, answer, { isStream, lastEventId, waitMs: streamWaitMs }, clientSignal(reply.raw));
}

/** The request of a response in the background, from its body, for who goes on with it. */
async function readAgain(
  request: FastifyRequest,
  deployment: Deployment,
  bodies: Bodies,
  bytes: Uint8Array,
): Promise<BackgroundQuery> {
  const account = accountOf(request);
  const endpoint = GENERATION_ENDPOINTS.find(({ path }) => path === PATH);
  if (endpoint === undefined) throw new DroverError("internal", "responses are served");
  using body = bodies.take(new Uint8Array(bytes));
  const keptFor = (_: string | undefined, names: KeptNames) =>
    deployment.responses.parts(account.tenant?.name ?? "", names, neverAborted);
  const { query: queries } = await bodies.read<readonly GenerationQuery[]>(body, PATH, neverAborted, keptFor);
  return { endpoint, deployment, queries, account, incoming: incoming(request) };
}
