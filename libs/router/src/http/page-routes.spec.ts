import fastify from "fastify";
import { expect, test } from "vitest";
import { addPageRoutes } from "./page-routes.ts";

test("files that could not be read once are read at the next use, and then kept", async () => {
  let reads = 0;
  const document = { type: "text/html", body: Buffer.from("the page"), etag: '"1"', inlineScripts: [] };
  const server = fastify();
  addPageRoutes(
    server,
    (reply) => reply.send("welcome"),
    async () => {
      reads += 1;
      if (reads === 1) throw new Error("no descriptor is left");
      return { document, parts: new Map() };
    },
  );
  const docs = () => server.inject({ url: "/docs" });
  expect((await docs()).statusCode).toBe(500);
  expect((await docs()).body).toBe("the page");
  expect((await docs()).body).toBe("the page");
  expect(reads).toBe(2);
  await server.close();
});
