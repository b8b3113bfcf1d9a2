import { promises as dns } from "node:dns";
import { create } from "@bufbuild/protobuf";
import { neverAborted, systemClock, withTimeout } from "@drover/core";
import { AttentionWorker, PlaceReplySchema, PlaceRequestSchema } from "@drover/proto";
import type { Server } from "@grpc/grpc-js";
import { afterEach, expect, test, vi } from "vitest";
import { RpcClient } from "./client.ts";
import { rpcService } from "./rpc-service.ts";
import { createServer, listen } from "./server.ts";

const servers: Server[] = [];

afterEach(() => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) server.forceShutdown();
});

/** Says who it is in the reply. */
async function serve(host: string, port: number): Promise<number> {
  const server = createServer();
  servers.push(server);
  const place = () => create(PlaceReplySchema, { refusalMessage: host });
  server.addService(...rpcService(AttentionWorker, { place, tokens: (call) => call.end() }));
  return listen(server, `${host}:${port}`);
}

/** Where `moving.test` leads; undefined: the name is not known. */
function resolveTo(address: () => string | undefined) {
  vi.spyOn(dns, "lookup").mockImplementation((async () => {
    const found = address();
    if (found === undefined) throw Object.assign(new Error("getaddrinfo ENOTFOUND"), { code: "ENOTFOUND" });
    return [{ address: found, family: 4 }];
  }) as unknown as typeof dns.lookup);
}

const ask = async (client: RpcClient) => {
  const request = create(PlaceRequestSchema, {});
  const limit = { ms: 2000, message: "too late" };
  const reply = withTimeout(limit, systemClock, neverAborted, (signal) =>
    client.unary(AttentionWorker.method.place, request, signal),
  );
  return reply.then(
    ({ refusalMessage }) => refusalMessage,
    (error: { code: string }) => error.code,
  );
};

test("a client whose peer moves to another address finds it there by its name", async () => {
  const port = await serve("127.0.0.2", 0);
  let address = "127.0.0.2";
  resolveTo(() => address);
  using client = new RpcClient(`moving.test:${port}`);
  expect(await ask(client)).toBe("127.0.0.2");
  for (const server of servers.splice(0)) server.forceShutdown();
  await serve("127.0.0.3", port);
  address = "127.0.0.3";
  await expect.poll(() => ask(client)).toBe("127.0.0.3");
});

test("a client finds a peer whose name was not known at first", async () => {
  let address: string | undefined;
  resolveTo(() => address);
  const port = await serve("127.0.0.2", 0);
  using client = new RpcClient(`moving.test:${port}`);
  expect(await ask(client)).toBe("unavailable");
  address = "127.0.0.2";
  await expect.poll(() => ask(client)).toBe("127.0.0.2");
});
