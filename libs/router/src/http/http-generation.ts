import type { ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";
import { at, DroverError, type Logger, toDroverError } from "@drover/core";
import {
  Answer,
  type GenerationEndpoint,
  type GenerationQuery,
  type KeptNames,
  type KeptResponse,
  type Output,
  type ReplyFrame,
  type ReplyStream,
} from "@drover/openai";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Bodies, receivedBody } from "../bodies/bodies.ts";
import type { Deployment } from "../deployment.ts";
import type { Deployments } from "../deployments.ts";
import type { KeyedRequest } from "../keyed/keyed-answers.ts";
import type { KeyedRun } from "../keyed/keyed-run.ts";
import { newOrigin } from "../keyed/origin.ts";
import type { RecordedAnswer } from "../keyed/recorded-answer.ts";
import { READER_STALL_MS_MAX } from "../limits.ts";
import type { GenerationBatch } from "../requests/generation-batch.ts";
import { jsonText } from "../requests/json-text.ts";
import { replyFrame, wholeAnswer, wholeBody } from "../requests/whole-answer.ts";
import { backgroundBytes, serveBackground } from "./background-routes.ts";
import { clientSignal } from "./client-signal.ts";
import { EventStream } from "./event-stream.ts";
import { holdUntilSent } from "./held-reply.ts";
import { incoming } from "./incoming.ts";
import { sendJson } from "./json-reply.ts";
import { keyedRequest, lastEvent, NumberedEvents, sendRecorded } from "./keyed-generation.ts";
import { accountOf } from "./request-accounts.ts";

/** What generating endpoints share. */
export type GenerationParts = Readonly<{
  bodies: Bodies;
  deployments: Deployments;
  logger: Logger;
  /** A streamed reply without text gets a sign of life this often. */
  streamWaitMs: number;
}>;

/** Runs one request from body to reply, as its endpoint reads and writes them. Errors before the first byte are thrown; later ones go into the stream. */
export async function serveGeneration(
  request: FastifyRequest,
  reply: FastifyReply,
  endpoint: GenerationEndpoint,
  parts: GenerationParts,
): Promise<FastifyReply> {
  const { bodies, deployments } = parts;
  const client = clientSignal(reply.raw);
  using body = receivedBody(request);
  const account = accountOf(request);
  const owner = account.tenant?.name ?? "";
  const keptFor = (model: string | undefined, names: KeptNames) =>
    deployments.reading(model).responses.parts(owner, names, client);
  const keyed = await keyedRequest(request, owner, body.blocks);
  using copy = endpoint.pending === undefined ? undefined : backgroundBytes(bodies, body.blocks);
  const { model, query: queries } = await bodies.read<readonly GenerationQuery[]>(body, endpoint.path, client, keptFor);
  const deployment = deployments.reading(model);
  if (endpoint.pending !== undefined && queries()[0]?.reply.background === true) {
    if (keyed !== undefined)
      throw new DroverError("invalid_argument", "is not supported with an Idempotency-Key", { field: "background" });
    const query = { endpoint, deployment, queries, account, incoming: incoming(request) };
    return await serveBackground(reply, query, copy, client, parts.streamWaitMs);
  }
  if (keyed !== undefined)
    return await serveKeyed(request, reply, {
      endpoint,
      deployment,
      keyed,
      queries,
      client,
      waitMs: parts.streamWaitMs,
    });
  const { inference, responses } = deployment;
  using permit = inference.admit(incoming(request), account);
  const running = await inference.begin(queries, permit, client, () => body[Symbol.dispose]());
  const { options, batch } = running;
  const frame = replyFrame(endpoint, inference, running);
  try {
    if (options.stream) {
      const stream = endpoint.stream(frame);
      await streamReply(reply, batch, stream, (kept) => responses.keep(owner, frame.id, kept, client), parts);
      return reply;
    }
    const body = await wholeAnswer(endpoint, frame, batch, { responses, owner }, client);
    // The reply is written as its client reads it, of the request and its answer.
    holdUntilSent(reply.raw, permit.memory.detach("prompts", "answers"));
    return sendJson(reply, body);
  } finally {
    inference.cancel(batch);
  }
}

type KeyedGeneration = Readonly<{
  endpoint: GenerationEndpoint;
  deployment: Deployment;
  keyed: Omit<KeyedRequest, "lastEventId">;
  queries: () => readonly GenerationQuery[];
  client: AbortSignal;
  waitMs: number;
}>;

/** As `serveGeneration`, once for all who send the same key: the work is no single client's, and goes on for a while when its client has gone. */
async function serveKeyed(
  request: FastifyRequest,
  reply: FastifyReply,
  { endpoint, deployment, keyed, queries, client, waitMs }: KeyedGeneration,
): Promise<FastifyReply> {
  const { inference, responses, keyedAnswers } = deployment;
  const isStream = queries()[0]?.reply.stream === true;
  const last = lastEvent(request);
  const lastEventId = isStream ? last : undefined;
  const make = async (answer: RecordedAnswer, run: KeyedRun, signal: AbortSignal) => {
    using permit = inference.admit(incoming(request), accountOf(request));
    const running = await inference.begin(queries, permit, signal, undefined, run);
    const { batch } = running;
    const leave = () => inference.cancel(batch, toDroverError(signal.reason));
    signal.addEventListener("abort", leave, { once: true });
    const frame = replyFrame(endpoint, inference, running, run.origin.createdS);
    const keep = (kept: KeptResponse) => responses.keep(keyed.owner, frame.id, kept, signal);
    try {
      if (isStream) await recordStream(endpoint.stream(frame), answer, run, keep);
      else answer.push(await jsonText(await recordWhole(endpoint, frame, run, keep)));
    } finally {
      signal.removeEventListener("abort", leave);
      inference.cancel(batch);
    }
  };
  const answer = await keyedAnswers.answer(
    { ...keyed, lastEventId },
    () => newOrigin(inference.clock, inference.facts),
    make,
    client,
  );
  return sendRecorded(reply, answer, { isStream, lastEventId, waitMs }, client);
}

/** Has a keyed request's outputs written as events. Errors: what ended the request. */
async function recordStream(
  stream: ReplyStream,
  answer: RecordedAnswer,
  run: KeyedRun,
  keep: (kept: KeptResponse) => Promise<void>,
): Promise<void> {
  const events = new NumberedEvents(answer, run);
  const over = run.journal.read((outputs, isKept) => {
    for (const output of outputs) events.push(stream.push(output), isKept);
  });
  // What another router had sent is there; of one that still sends, that is found out.
  if (run.follow === undefined) answer.begin();
  await over;
  if (stream.kept !== undefined) await keep(stream.kept);
}

/** A keyed request's answer as a whole. Errors: what ended the request. */
async function recordWhole(
  endpoint: GenerationEndpoint,
  frame: ReplyFrame,
  { journal }: KeyedRun,
  keep: (kept: KeptResponse) => Promise<void>,
): Promise<unknown> {
  const answer = new Answer(frame.requests.length, frame.request.sampling.n);
  await journal.read((outputs) => {
    for (const output of outputs) answer.add(output);
  });
  return wholeBody(endpoint, frame, answer, keep);
}

/** The reply as server-sent events, to its end. Errors: what ends the request before anything was sent. */
async function streamReply(
  reply: FastifyReply,
  batch: GenerationBatch,
  stream: ReplyStream,
  keep: (kept: KeptResponse) => Promise<void>,
  { logger, streamWaitMs }: GenerationParts,
): Promise<void> {
  const { raw } = reply;
  using events = new EventStream(reply, streamWaitMs);
  try {
    await batch.read((outputs) => sendOutputs(outputs, stream, { raw, events, failed: batch.failed }));
    if (stream.kept !== undefined) await keep(stream.kept);
    raw.setTimeout(READER_STALL_MS_MAX);
    raw.end();
  } catch (error) {
    const fault = toDroverError(error);
    if (!events.begun) throw fault;
    if (fault.code !== "cancelled")
      logger.warn("http.stream_failed", { x_request_id: reply.request.id, code: fault.code, reason: fault.message });
    // Who has left or reads too slowly gets no more.
    if (fault.code === "cancelled") {
      raw.destroy();
      return;
    }
    raw.setTimeout(READER_STALL_MS_MAX);
    raw.end(stream.fail(fault));
  }
}

/** Where a stream's events go, and what ends the wait for its reader. */
type Sink = Readonly<{ raw: ServerResponse; events: EventStream; failed: AbortSignal }>;

/** Sends what becomes of outputs. A promise where the reader is to be waited for, or much is due before one of them. */
function sendOutputs(outputs: readonly Output[], stream: ReplyStream, sink: Sink): Promise<void> | undefined {
  const { raw, events, failed } = sink;
  let text = "";
  for (let i = 0; i < outputs.length; i++) {
    const output = at(outputs, i);
    const opening = stream.opening?.(output);
    if (opening !== undefined)
      return sendOpening(text, opening, sink).then(() => sendOutputs(outputs.slice(i), stream, sink));
    text += stream.push(output);
  }
  return text === "" || events.write(text) ? undefined : drained(raw, events, failed);
}

/** Sends a text, then one in pieces, between which everybody else gets their turn. */
async function sendOpening(text: string, pieces: Iterable<string>, { raw, events, failed }: Sink): Promise<void> {
  if (text !== "") events.write(text);
  for (const piece of pieces) {
    if (!events.writePart(piece)) await drained(raw, events, failed);
    // Nobody reads the rest.
    if (raw.destroyed) return;
    await setImmediate();
  }
  events.endParts();
}

/** Waits until the client has read what was written, is gone or cut off for taking nothing, or the request has failed. */
async function drained(raw: ServerResponse, events: EventStream, failed: AbortSignal): Promise<void> {
  if (raw.destroyed || failed.aborted) return;
  const over = new AbortController();
  const { signal } = over;
  raw.setTimeout(READER_STALL_MS_MAX);
  try {
    await Promise.race([events.room(signal), aborted(failed, signal)]);
  } finally {
    over.abort(new DroverError("cancelled", "the wait for the reader is over"));
    raw.setTimeout(0);
  }
}

/** Resolves when the first signal aborts; the second one ends the wait. */
function aborted(signal: AbortSignal, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true, signal: over }));
}
