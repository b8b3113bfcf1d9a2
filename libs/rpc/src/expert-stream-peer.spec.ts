import { create } from "@bufbuild/protobuf";
import { silentLogger, systemClock } from "@drover/core";
import { ExpertReplySchema, ExpertWorker } from "@drover/proto";
import { Metadata } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { ExpertStreamPeer } from "./expert-stream-peer.ts";
import { rpcService } from "./rpc-service.ts";
import { createServer, listen } from "./server.ts";

it("a retired peer's calls are answered, and only then its connection ends", async () => {
  const server = createServer();
  const asked = Promise.withResolvers<() => void>();
  const ended = Promise.withResolvers<void>();
  const service = rpcService(ExpertWorker, {
    exchange: (stream) => {
      stream.sendMetadata(new Metadata());
      stream.on("cancelled", () => ended.resolve());
      stream.on("error", () => undefined);
      stream.on("data", ({ correlationId, rows }) =>
        asked.resolve(() => stream.write(create(ExpertReplySchema, { correlationId, rows }))),
      );
    },
  });
  server.addService(...service);
  const address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
  using peer = new ExpertStreamPeer("w", address, systemClock, silentLogger, { exchanged: () => undefined });
  await expect.poll(() => peer.connected).toBe(true);
  const z_aD = Float32Array.of(1, 2, 3);
  const y_aD = new Float32Array(3);
  const share = { layer: 1, experts: Int32Array.of(0), counts: Int32Array.of(1), rows: Int32Array.of(0) };
  const answered = peer.call({ ...share, z_aD, y_aD, width: 3 });
  const answer = await asked.promise;
  peer.retire();
  expect(peer.connected).toBe(true);
  answer();
  expect(await answered).toBe(true);
  expect(y_aD).toEqual(z_aD);
  await ended.promise;
  expect(peer.connected).toBe(false);
  server.forceShutdown();
});
