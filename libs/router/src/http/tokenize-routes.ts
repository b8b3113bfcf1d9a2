import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { TokenizeQuery } from "@drover/openai";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Bodies, receivedBody } from "../bodies/bodies.ts";
import type { Deployments } from "../deployments.ts";
import type { MemoryBudgets } from "../memory/memory-budgets.ts";
import type { Inference } from "../requests/inference.ts";
import { slicesOf, tokenTexts } from "../requests/token-text.ts";
import { clientSignal } from "./client-signal.ts";
import { holdUntilSent } from "./held-reply.ts";

/** What routes that read a body and generate nothing share. */
export type BodyParts = Readonly<{ bodies: Bodies; deployments: Deployments; budgets: Pick<MemoryBudgets, "prompts"> }>;

/** POST /tokenize. Errors: `overloaded` where too much of such replies waits to be read. */
export async function tokenize(request: FastifyRequest, reply: FastifyReply, parts: BodyParts) {
  const { bodies, deployments, budgets } = parts;
  const client = clientSignal(reply.raw);
  using body = receivedBody(request);
  const { model, query } = await bodies.read<TokenizeQuery>(body, "/tokenize", client);
  const { inference } = deployments.reading(model);
  const { prompt, returnTokenTexts } = query();
  const ids = await inference.tokenize(prompt, client);
  holdUntilSent(reply.raw, budgets.prompts.hold(ids.byteLength));
  return sendPieces(reply, tokenizeReply(ids, inference, returnTokenTexts));
}

/** POST /detokenize: special tokens come with the text. */
export async function detokenize(request: FastifyRequest, reply: FastifyReply, parts: BodyParts) {
  const { bodies, deployments, budgets } = parts;
  const client = clientSignal(reply.raw);
  using body = receivedBody(request);
  const { model, query } = await bodies.read<Uint32Array>(body, "/detokenize", client);
  const { inference } = deployments.reading(model);
  const ids = query();
  holdUntilSent(reply.raw, budgets.prompts.hold(ids.byteLength));
  return sendPieces(reply, detokenizeReply(ids, inference));
}

/** JSON in pieces: a reply may hold millions of ids, and the event loop gets its turn between two pieces. */
function sendPieces(reply: FastifyReply, pieces: AsyncIterable<string>): FastifyReply {
  return reply.header("content-type", "application/json; charset=utf-8").send(Readable.from(pieces));
}

/** A `TokenizeReply`. */
async function* tokenizeReply(
  ids: Uint32Array,
  { model, facts }: Inference,
  withTexts: boolean,
): AsyncGenerator<string> {
  const max = JSON.stringify(facts.contextTokensMax);
  yield `{"count":${ids.length},"max_model_len":${max},"tokens":[`;
  yield* joinedSlices(ids, (slice) => slice.join(","));
  yield '],"token_strs":';
  if (!withTexts) return yield "null}";
  yield "[";
  const textOf = (id: number) => JSON.stringify(model.tokenizer.tokenText(id));
  yield* joinedSlices(ids, (slice) => Array.from(slice, textOf).join(","));
  yield "]}";
}

/** A `DetokenizeReply`. */
async function* detokenizeReply(ids: Uint32Array, { model }: Inference): AsyncGenerator<string> {
  yield '{"prompt":"';
  for await (const text of tokenTexts(model.tokenizer, ids, { special: true })) yield JSON.stringify(text).slice(1, -1);
  yield '"}';
}

async function* joinedSlices(ids: Uint32Array, written: (slice: Uint32Array) => string): AsyncGenerator<string> {
  let separator = "";
  for (const slice of slicesOf(ids)) {
    yield separator + written(slice);
    separator = ",";
    await setImmediate();
  }
}
