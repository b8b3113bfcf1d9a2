import { once } from "node:events";
import { connect } from "node:net";
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

it("replies of one connection come one after the other, and an old client reads events without chunks", async () => {
  const server = fastify();
  const writers: (() => void)[] = [];
  const both = Promise.withResolvers<void>();
  server.get("/:name", async (request, reply) => {
    using events = new EventStream(reply, 60_000);
    const { name } = request.params as { name: string };
    const done = Promise.withResolvers<void>();
    writers.push(() => {
      for (const part of ["begins", "goes on: \u{1f642}", "ends"]) events.write(`data: ${name} ${part}\n\n`);
      done.resolve();
    });
    if (writers.length === 2) both.resolve();
    await done.promise;
    reply.raw.end();
    return reply;
  });
  const port = Number(new URL(await server.listen({ host: "127.0.0.1", port: 0 })).port);
  const exchange = async (asked: string) => {
    const socket = connect(port, "127.0.0.1").setEncoding("utf8").end(asked);
    let heard = "";
    socket.on("data", (text) => {
      heard += text;
    });
    await once(socket, "close");
    return heard.split("\r\n\r\n");
  };
  try {
    const said = (name: string) => ["begins", "goes on: \u{1f642}", "ends"].map((part) => `data: ${name} ${part}\n\n`);
    const piped = exchange("GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    await both.promise;
    // The second reply has all of its text before the first one has its head.
    for (const write of writers.splice(0).reverse()) write();
    const chunks = (name: string) => said(name).map((text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
    const whole = (await piped).join("\r\n\r\n");
    expect(whole.indexOf(`${chunks("a").join("")}0\r\n\r\n`)).toBeGreaterThan(0);
    expect(whole.endsWith(`${chunks("b").join("")}0\r\n\r\n`)).toBe(true);
    const old = exchange("GET /old HTTP/1.0\r\n\r\n");
    while (writers.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const write of writers) write();
    expect((await old).at(-1)).toBe(said("old").join(""));
  } finally {
    await server.close();
  }
});
