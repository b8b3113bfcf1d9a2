import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { DroverError, toDroverError } from "@drover/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { BodyBlocks } from "../bodies/body-blocks.ts";
import type { KeyedRequest } from "../keyed/keyed-answers.ts";
import type { KeyedRun } from "../keyed/keyed-run.ts";
import type { RecordedAnswer } from "../keyed/recorded-answer.ts";
import { READER_STALL_MS_MAX } from "../limits.ts";
import { EventStream } from "./event-stream.ts";

/** What is sent with a request that may be sent twice; undefined where it is not. */
export async function keyedRequest(
  { headers, url }: FastifyRequest,
  owner: string,
  { blocks }: BodyBlocks,
): Promise<Omit<KeyedRequest, "lastEventId"> | undefined> {
  const key = headers["idempotency-key"];
  if (typeof key !== "string") return undefined;
  const hash = createHash("sha256").update(url);
  for (const block of blocks) {
    hash.update(block);
    // 32 MiB take some 30 ms.
    await turn();
  }
  return { owner, key, digest: hash.digest("hex") };
}

/** The last event that a client has of a keyed stream; undefined where it has none. Errors: `invalid_argument`. */
export function lastEvent({ headers }: FastifyRequest): string | undefined {
  const last = headers["last-event-id"];
  if (last === undefined || last === "") return undefined;
  if (typeof last !== "string" || !/^\d{1,9}(u\d{1,9})?$/.test(last))
    throw new DroverError("invalid_argument", "a Last-Event-ID is the id of an event of this stream");
  return last;
}

/** Numbers the events of a stream's text, which has whole ones, from 0 on: each becomes a part of the answer. Those that are not kept are marked. */
export class NumberedEvents {
  readonly #answer: RecordedAnswer;
  readonly #run: Pick<KeyedRun, "epoch">;
  #count = 0;

  constructor(answer: RecordedAnswer, run: Pick<KeyedRun, "epoch">) {
    this.#answer = answer;
    this.#run = run;
  }

  push(text: string, isKept: boolean): void {
    const mark = isKept ? "" : `u${this.#run.epoch}`;
    for (const event of text.split("\n\n"))
      if (event !== "") this.#answer.push(`id: ${this.#count++}${mark}\n${event}\n\n`);
  }
}

/** Sends a recorded answer, as it comes, to one who reads it. Errors: what ends it before anything was sent; `cancelled` for who has left. */
export async function sendRecorded(
  reply: FastifyReply,
  answer: RecordedAnswer,
  { isStream, lastEventId, waitMs }: Readonly<{ isStream: boolean; lastEventId: string | undefined; waitMs: number }>,
  client: AbortSignal,
): Promise<FastifyReply> {
  if (!isStream) {
    let body = "";
    for await (const part of answer.read(0, client)) body += part;
    return reply.header("content-type", "application/json; charset=utf-8").send(body);
  }
  const { raw } = reply;
  const first = lastEventId === undefined ? 0 : Number.parseInt(lastEventId, 10) + 1;
  using events = new EventStream(reply, waitMs);
  raw.setTimeout(READER_STALL_MS_MAX);
  try {
    for await (const part of answer.read(first, client)) if (!events.write(part)) await events.room(client);
    if (!events.begun) events.write(": nothing follows\n\n");
    raw.end();
  } catch (error) {
    const fault = toDroverError(error);
    if (!events.begun) throw fault;
    // What failed is asked for again with the same key; the stream's own words for it went before.
    raw.destroy();
  }
  return reply;
}
