import { create } from "@bufbuild/protobuf";
import { DroverError, neverAborted } from "@drover/core";
import {
  EncodeReplySchema,
  FeaturesRequestSchema,
  ProbeReplySchema,
  ProbeRequestSchema,
  VisionWorker,
} from "@drover/proto";
import type { Server } from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { RpcClient } from "./client.ts";
import { fromServiceError } from "./errors.ts";
import { failStream, type RpcHandlers, rpcService } from "./rpc-service.ts";
import { createServer, listen } from "./server.ts";

const open: (Server | RpcClient)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) {
    if (one instanceof RpcClient) one[Symbol.dispose]();
    else one.forceShutdown();
  }
});

const handlers: RpcHandlers<typeof VisionWorker> = {
  probe: ({ contentHashes }) => create(ProbeReplySchema, { held: contentHashes.map((hash) => hash.length > 1) }),
  encode: async (call) => {
    let rowCount = 0;
    for await (const { tileCount } of call) rowCount += tileCount;
    return create(EncodeReplySchema, { rowCount });
  },
  features: (call) => call.end(),
};

async function callerOf(own: Partial<RpcHandlers<typeof VisionWorker>>): Promise<RpcClient> {
  const server = createServer();
  server.addService(...rpcService(VisionWorker, { ...handlers, ...own }));
  const client = new RpcClient(`127.0.0.1:${await listen(server, "127.0.0.1:0")}`);
  open.push(client, server);
  return client;
}

const probe = (client: RpcClient) =>
  client.unary(
    VisionWorker.method.probe,
    create(ProbeRequestSchema, { contentHashes: [new Uint8Array(1), new Uint8Array(2)] }),
    neverAborted,
  );

it("a method of one reply gives what its handler returns, at once or later", async () => {
  expect((await probe(await callerOf({}))).held).toEqual([false, true]);
  const later = await callerOf({ probe: async () => create(ProbeReplySchema, { held: [true] }) });
  expect((await probe(later)).held).toEqual([true]);
});

it("a stream of requests has its one reply when the handler has read them", async () => {
  const client = await callerOf({});
  const { call, reply } = client.clientStream(VisionWorker.method.encode, neverAborted);
  for (const tileCount of [1, 2, 3]) call.write({ $typeName: "drover.internal.v1.EncodeFrame", ...frame, tileCount });
  call.end();
  expect((await reply).rowCount).toBe(6);
});

const frame = { contentHash: new Uint8Array(), tileSize: 0, pixels: new Uint8Array() };

it.each([
  ["as it is", new DroverError("overloaded", "too many wait", { field: "f", retryAfterMs: 7 }), "overloaded", "f", 7],
  ["as internal", new TypeError("undefined is not a function"), "internal", undefined, undefined],
])("what a handler throws, at once or later, is told %s", async (_how, thrown, code, field, retryAfterMs) => {
  const throws = (): never => {
    throw thrown;
  };
  for (const fails of [throws, async () => throws()])
    await expect(probe(await callerOf({ probe: fails }))).rejects.toMatchObject({ code, field, retryAfterMs });
});

it("a stream of replies that fails tells its caller why, behind what it has sent", async () => {
  const client = await callerOf({
    features: (call) => {
      call.write({ $typeName: "drover.internal.v1.FeatureFrame", rowCount: 5, rows: new Uint8Array() });
      failStream(call, new DroverError("not_found", "no more of it"));
    },
  });
  const call = client.serverStream(VisionWorker.method.features, create(FeaturesRequestSchema));
  const seen: number[] = [];
  call.on("data", ({ rowCount }) => seen.push(rowCount));
  const fault = await new Promise<DroverError>((resolve) =>
    call.on("error", (e) => resolve(fromServiceError(e as never))),
  );
  expect([seen, fault.code, fault.message]).toEqual([[5], "not_found", "no more of it"]);
});
