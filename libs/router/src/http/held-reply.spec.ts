import Fastify from "fastify";
import { expect, it } from "vitest";
import { REPLY_UNCOUNTED_BYTES } from "../limits.ts";
import { MemoryBudget } from "../memory/memory-budget.ts";
import { countReplies, holdUntilSent } from "./held-reply.ts";

it("a reply that is one long text is refused where too much is unread, unless what it is made of is counted already", async () => {
  const unread = new MemoryBudget("unread", REPLY_UNCOUNTED_BYTES);
  const text = "x".repeat(REPLY_UNCOUNTED_BYTES + 1);
  let heldCount = 0;
  await using server = Fastify();
  countReplies(server, unread);
  server.get("/plain", () => text);
  server.get("/held", (_request, reply) => {
    heldCount += 1;
    holdUntilSent(reply.raw, {
      [Symbol.dispose]: () => {
        heldCount -= 1;
      },
    });
    return reply.send(text);
  });
  unread.owe(REPLY_UNCOUNTED_BYTES);
  expect((await server.inject("/plain")).statusCode).toBe(500);
  const held = await server.inject("/held");
  expect([held.statusCode, held.body.length]).toEqual([200, text.length]);
  expect(heldCount).toBe(0);
});
