import { Readable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { jsonPieces } from "@drover/openai";
import type { FastifyReply } from "fastify";

/** Sends a value as JSON: a long one in pieces, and the event loop gets its turn between two of them. */
export function sendJson(reply: FastifyReply, body: unknown): FastifyReply {
  const pieces = jsonPieces(body);
  const first = pieces.next();
  const second = pieces.next();
  const typed = reply.header("content-type", "application/json; charset=utf-8");
  if (first.done === true || second.done === true) return typed.send(first.value ?? "");
  return typed.send(Readable.from(following([first.value, second.value], pieces)));
}

async function* following(made: readonly string[], pieces: Iterable<string>): AsyncGenerator<string> {
  yield* made;
  for (const piece of pieces) {
    await setImmediate();
    yield piece;
  }
}
