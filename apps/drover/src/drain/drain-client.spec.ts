import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { neverAborted } from "@drover/core";
import { describe, expect, it } from "vitest";
import { DrainClient } from "./drain-client.ts";

/** What a client makes of one answer, and what it asked. */
async function ask(status: number, body: unknown) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.writeHead(status).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const client = new DrainClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  try {
    const reply = await client.ask({ worker: "a b", undo: true, incarnation: "life-1" }, neverAborted);
    return { reply, asked };
  } finally {
    server.close();
  }
}

describe("DrainClient", () => {
  it("asks one life of a worker, and reads how far it is, also from a scheduler of a later version that says more", async () => {
    const { reply, asked } = await ask(200, { incarnation: "life-1", state: { expertCount: 3, later: 1 }, later: 1 });
    expect([reply.incarnation, reply.state?.expertCount]).toEqual(["life-1", 3]);
    expect(asked).toEqual(["POST /drain?worker=a+b&undo=true&incarnation=life-1"]);
  });

  it.each([
    [404, { error: 'no worker is called "a b": there are no workers' }, "not_found", /there are no workers/],
    [404, { error: "nothing is served at /drain" }, "invalid_argument", /no scheduler's admin port/],
    [401, { error: "only members are answered" }, "unauthenticated", /only members/],
    [503, { error: "this scheduler stands by; nobody is known to lead" }, "unavailable", /stands by/],
    [500, "<html>", "unavailable", /no scheduler answers/],
  ])("says what is wrong with %s %o", async (status, body, code, message) => {
    await expect(ask(status, body)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});
