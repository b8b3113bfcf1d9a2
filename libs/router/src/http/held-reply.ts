import type { ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import { REPLY_UNCOUNTED_BYTES } from "../limits.ts";
import { held, type MemoryBudget } from "../memory/memory-budget.ts";

/** Replies that are made of what is counted already. */
const heldReplies = new WeakSet<ServerResponse>();

/** Keeps what a reply is made of counted until its client has it, or is gone. */
export function holdUntilSent(raw: ServerResponse, hold: Disposable): void {
  heldReplies.add(raw);
  if (raw.closed || raw.destroyed) hold[Symbol.dispose]();
  else raw.once("close", () => hold[Symbol.dispose]());
}

/**
 * Counts replies that are sent as one text until their clients have them; one for which there is no room beside others is answered with 429. Errors are small, and never refused; nor are answers
 * that were generated, which are counted with what they are made of.
 */
export function countReplies(server: FastifyInstance, unread: MemoryBudget): void {
  server.addHook("onSend", (_request, reply, payload, done) => {
    const isSmall = typeof payload !== "string" || payload.length <= REPLY_UNCOUNTED_BYTES;
    if (isSmall || reply.statusCode >= 400 || heldReplies.has(reply.raw)) return done(null, payload);
    // Whatever its size: where nothing else is unread it has room.
    if (!unread.takeMade(payload.length)) return done(unread.full());
    holdUntilSent(reply.raw, held(unread, payload.length));
    done(null, payload);
  });
}
