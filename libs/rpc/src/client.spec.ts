import { create } from "@bufbuild/protobuf";
import { DroverError, neverAborted, systemClock, withTimeout } from "@drover/core";
import { EncodeFrameSchema, ProbeRequestSchema, VisionWorker } from "@drover/proto";
import type { Server } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RpcClient } from "./client.ts";
import { rpcService } from "./rpc-service.ts";
import { createServer, listen } from "./server.ts";

const left = new DroverError("cancelled", "the client has left");

describe("RpcClient, before a peer that takes calls and answers none", () => {
  let server: Server;
  let client: RpcClient;
  let arrived: PromiseWithResolvers<void>;
  let gone: PromiseWithResolvers<void>;

  beforeEach(async () => {
    [server, arrived, gone] = [createServer(), Promise.withResolvers(), Promise.withResolvers()];
    const take = (call: { on(event: "cancelled", told: () => void): unknown }) => {
      call.on("cancelled", () => gone.resolve());
      arrived.resolve();
      return new Promise<never>(() => undefined);
    };
    const service = { probe: (_: unknown, call: Parameters<typeof take>[0]) => take(call), encode: take };
    server.addService(...rpcService(VisionWorker, { ...service, features: () => undefined }));
    client = new RpcClient(`127.0.0.1:${await listen(server, "127.0.0.1:0")}`);
  });
  afterEach(() => {
    client[Symbol.dispose]();
    server.forceShutdown();
  });

  const calls: readonly (readonly [string, (signal: AbortSignal) => Promise<unknown>])[] = [
    [
      "a unary call",
      (signal: AbortSignal) => client.unary(VisionWorker.method.probe, create(ProbeRequestSchema), signal),
    ],
    [
      "a stream of requests",
      (signal: AbortSignal) => {
        const { call, reply } = client.clientStream(VisionWorker.method.encode, signal);
        call.write(create(EncodeFrameSchema));
        return reply;
      },
    ],
  ];

  it.each(calls)("%s ends with the signal's own reason, and the peer learns of it", async (_name, ask) => {
    const caller = new AbortController();
    const reply = ask(caller.signal);
    await arrived.promise;
    caller.abort(left);
    await expect(reply).rejects.toBe(left);
    await gone.promise;
  });

  it.each(calls)("%s that took too long is told so in its limit's words", async (_name, ask) => {
    const limit = { ms: 50, message: "the vision worker did not answer" };
    const reply = withTimeout(limit, systemClock, neverAborted, ask);
    await expect(reply).rejects.toMatchObject({ code: "deadline_exceeded", message: limit.message });
  });
});

it("a call that the other side cancels is unavailable, not cancelled", async () => {
  const server = createServer();
  const busy = (): never => {
    throw new DroverError("cancelled", "the server has no time");
  };
  server.addService(...rpcService(VisionWorker, { probe: busy, encode: busy, features: busy }));
  using client = new RpcClient(`127.0.0.1:${await listen(server, "127.0.0.1:0")}`);
  const reply = client.unary(VisionWorker.method.probe, create(ProbeRequestSchema), neverAborted);
  await expect(reply).rejects.toMatchObject({ code: "unavailable", message: /the server has no time/ });
  server.forceShutdown();
});
