import { create } from "@bufbuild/protobuf";
import { silentLogger, systemClock } from "@drover/core";
import { type ExpertReply, ExpertReplySchema, type ExpertRequest, ExpertWorker } from "@drover/proto";
import type { ServerDuplexStream, UntypedServiceImplementation } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import { ExpertStreamPeer } from "./expert-stream-peer.ts";
import { createServer, listen } from "./server.ts";
import { serviceDefinition } from "./service.ts";

it("a retired peer's calls are answered, and only then its connection ends", async () => {
  const server = createServer();
  const asked = Promise.withResolvers<() => void>();
  const ended = Promise.withResolvers<void>();
  const exchange = (stream: ServerDuplexStream<ExpertRequest, ExpertReply>) => {
    stream.sendMetadata(new Metadata());
    stream.on("cancelled", () => ended.resolve());
    stream.on("error", () => undefined);
    stream.on("data", ({ correlationId, rows }: ExpertRequest) =>
      asked.resolve(() => stream.write(create(ExpertReplySchema, { correlationId, rows }))),
    );
  };
  server.addService(serviceDefinition(ExpertWorker), { exchange } as unknown as UntypedServiceImplementation);
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
