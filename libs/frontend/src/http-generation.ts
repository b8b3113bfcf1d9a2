import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { DroverError, type Logger, toDroverError } from "@drover/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import { Answer } from "./answer.ts";
import type { readChatRequest } from "./chat-request.ts";
import { errorBody, publicError } from "./http-errors.ts";
import type { Inference } from "./inference.ts";
import type { Output } from "./output.ts";
import { event, type ReplyFrame, type ReplyStream } from "./reply-frame.ts";

/** How one of the two interfaces reads its request and writes its reply. */
export type Dialect = Readonly<{
  idPrefix: string;
  read: typeof readChatRequest;
  whole: (frame: ReplyFrame, answer: Answer) => unknown;
  stream: (frame: ReplyFrame) => ReplyStream;
}>;

/** Runs one request from body to reply. Errors before the first byte are thrown; later ones go into the stream. */
export async function serveGeneration(
  request: FastifyRequest,
  reply: FastifyReply,
  inference: Inference,
  logger: Logger,
  dialect: Dialect,
): Promise<FastifyReply> {
  using permit = inference.admit();
  const client = new AbortController();
  const leave = () => {
    if (!reply.raw.writableFinished) client.abort(new DroverError("cancelled", "the client has left"));
  };
  reply.raw.on("close", leave);
  const { model } = inference;
  const read = dialect.read(request.body, model, inference.requestContext());
  const generation = await inference.start(read.request, permit, client.signal);
  const frame: ReplyFrame = {
    id: dialect.idPrefix + generation.requestId,
    created: Math.floor(inference.clock.now() / 1000),
    model,
    request: read.request,
    options: read.reply,
  };
  if (read.reply.stream) {
    await streamReply(reply, generation.outputs(), dialect.stream(frame), logger);
    return reply;
  }
  const answer = await Answer.collect(generation.outputs(), read.request);
  return reply
    .header("content-type", "application/json; charset=utf-8")
    .send(JSON.stringify(dialect.whole(frame, answer)));
}

/** Server-sent events. Headers go out with the first output, so that an earlier failure still has its HTTP status. */
async function streamReply(
  reply: FastifyReply,
  outputs: AsyncIterable<readonly Output[]>,
  stream: ReplyStream,
  logger: Logger,
): Promise<void> {
  const { raw } = reply;
  let begun = false;
  try {
    for await (const batch of outputs) {
      let text = "";
      for (const output of batch) text += stream.push(output);
      if (text === "") continue;
      if (!begun) {
        begun = true;
        reply.hijack();
        raw.writeHead(200, {
          "content-type": "text/event-stream; charset=utf-8",
          "cache-control": "no-cache",
          "x-accel-buffering": "no",
        });
      }
      if (!raw.write(text)) await drained(raw);
    }
    raw.end();
  } catch (error) {
    const fault = toDroverError(error);
    if (!begun) throw fault;
    if (fault.code !== "cancelled") logger.warn("http.stream_failed", { code: fault.code, reason: fault.message });
    // A client that reads too slowly gets no more: its socket is full.
    if (raw.writableNeedDrain) raw.destroy();
    else raw.end(event(errorBody(publicError(fault))));
  }
}

async function drained(raw: ServerResponse): Promise<void> {
  if (raw.destroyed) return;
  const over = new AbortController();
  try {
    await Promise.race([once(raw, "drain", { signal: over.signal }), once(raw, "close", { signal: over.signal })]);
  } finally {
    over.abort();
  }
}
