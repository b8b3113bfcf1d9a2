import { fastify } from "fastify";
import { expect, it } from "vitest";
import { EventStream } from "./event-stream.ts";

it("a reply that keeps its client waiting gives signs of life, and what follows is read as before", async () => {
  const server = fastify();
  const speak = Promise.withResolvers<void>();
  server.get("/", async (_request, reply) => {
    using events = new EventStream(reply, 5);
    expect(events.begun).toBe(false);
    await speak.promise;
    expect(events.begun).toBe(true);
    events.write("data: text\n\n");
    reply.raw.end();
    return reply;
  });
  const address = await server.listen({ host: "127.0.0.1", port: 0 });
  try {
    // The headers come although nothing was said yet.
    const response = await fetch(address);
    expect(response.headers.get("content-type")).toMatch(/event-stream/);
    speak.resolve();
    const lines = (await response.text()).split("\n").filter((line) => line !== "");
    expect(lines.at(-1)).toBe("data: text");
    expect(new Set(lines.slice(0, -1))).toEqual(new Set([": waiting"]));
  } finally {
    await server.close();
  }
});
