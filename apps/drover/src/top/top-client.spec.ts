import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { neverAborted } from "@drover/core";
import { describe, expect, it } from "vitest";
import { TopClient } from "./top-client.ts";

/** What a client makes of one answer. */
async function ask(status: number, body: string, apiKey?: string) {
  const keys: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    keys.push(request.headers.authorization);
    response.writeHead(status).end(request.url === "/debug/cluster" ? body : "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/`;
  try {
    return { state: await new TopClient({ url, apiKey }).state(neverAborted), keys };
  } finally {
    server.close();
  }
}

const LATER = `{"modelId": "nano", "schedulerId": "s", "leaderEpoch": "9", "expertMap": {"modelId": "nano", "later": 1}, "later": 1}`;

describe("TopClient", () => {
  it("has no state while the router has heard of no scheduler that leads", async () => {
    expect((await ask(200, `{"ready": false}`)).state).toBeUndefined();
  });

  it("reads a router's state, also one of a later version that says more, with its key", async () => {
    const { state, keys } = await ask(200, LATER, "secret");
    expect([state?.modelId, state?.leaderEpoch, keys]).toEqual(["nano", 9n, ["Bearer secret"]]);
  });

  it("says what is wrong: no key, no Drover, nobody", async () => {
    await expect(ask(401, "{}")).rejects.toMatchObject({ code: "unauthenticated" });
    await expect(ask(200, "<html>")).rejects.toMatchObject({ code: "unavailable" });
    await expect(new TopClient({ url: "http://127.0.0.1:1" }).state(neverAborted)).rejects.toMatchObject({
      code: "unavailable",
    });
  });
});
