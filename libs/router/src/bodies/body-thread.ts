import { serveThread } from "@drover/threads";
import { joined } from "./body-blocks.ts";
import type { BodyRequest } from "./body-messages.ts";
import { buffersOf } from "./packed-query.ts";
import { type ReadBody, readBody } from "./read-body.ts";

/** A thread of the body pool: parses and reads one body after the other. */
await serveThread(async () => ({
  answer: ({ blocks, context }: BodyRequest) => readBody(joined(blocks), context),
  buffersOf: ({ outcome }: ReadBody) => {
    if (outcome.kind === "continues") return [outcome.bytes.buffer];
    return outcome.kind === "read" ? buffersOf(outcome.query) : [];
  },
}));
