import { create } from "@bufbuild/protobuf";
import { neverAborted, silentLogger, systemClock } from "@drover/core";
import { EncodeReplySchema, ExpertWorker, ProbeReplySchema, ProbeRequestSchema, VisionWorker } from "@drover/proto";
import type { Server } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { RpcClient } from "./client.ts";
import { ExpertStreamPeer } from "./expert-stream-peer.ts";
import { agree, PROTOCOL, type Protocol, protocolOf } from "./protocol.ts";
import { rpcService } from "./rpc-service.ts";
import { createServer, listen } from "./server.ts";

const of = (version: number, oldest: number): Protocol => ({ version, oldest });

describe("agree", () => {
  it.each([
    [of(2, 2), of(2, 2), true],
    [of(3, 2), of(2, 2), true],
    [of(3, 3), of(2, 2), false],
    [of(4, 2), of(3, 3), true],
    [of(9, 5), of(4, 1), false],
  ])("%o and %o: %s, whoever asks", (one, other, agreed) => {
    expect([agree(one, other), agree(other, one)]).toEqual([agreed, agreed]);
  });
});

it("a caller that names no protocol speaks version 1", () => {
  const metadata = new Metadata();
  expect(protocolOf(metadata)).toEqual(of(1, 1));
  metadata.set("drover-protocol", "two");
  expect(protocolOf(metadata)).toEqual(of(1, 1));
});

describe("a server", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.forceShutdown();
  });

  /** Counts what reaches the services: one unary call, one stream in both directions. */
  async function serve(protocol: Protocol) {
    const reached: string[] = [];
    const server = createServer({ protocol });
    servers.push(server);
    const vision = rpcService(VisionWorker, {
      probe: () => {
        reached.push("probe");
        return create(ProbeReplySchema);
      },
      encode: () => create(EncodeReplySchema),
      features: (call) => call.end(),
    });
    const experts = rpcService(ExpertWorker, {
      exchange: (stream) => {
        reached.push("exchange");
        stream.sendMetadata(new Metadata());
      },
    });
    for (const service of [vision, experts]) server.addService(...service);
    return { reached, address: `127.0.0.1:${await listen(server, "127.0.0.1:0")}` };
  }

  it("answers callers whose protocol agrees, and refuses all others before it reads anything", async () => {
    const newer = of(PROTOCOL.version + 1, PROTOCOL.version + 1);
    const { reached, address } = await serve(newer);
    const ask = async (protocol: Protocol) => {
      using client = new RpcClient(address, { protocol });
      const unary = client.unary(VisionWorker.method.probe, create(ProbeRequestSchema), neverAborted);
      return await unary.then(
        () => "answered",
        ({ code }) => code,
      );
    };
    expect([await ask(PROTOCOL), await ask(newer), await ask(of(newer.version + 1, newer.version))]).toEqual([
      "protocol_mismatch",
      "answered",
      "answered",
    ]);
    expect(reached).toEqual(["probe", "probe"]);
  });

  it("refuses streams too: the peer never connects, and says why once", async () => {
    const { reached, address } = await serve(of(PROTOCOL.version + 1, PROTOCOL.version + 1));
    const warned: string[] = [];
    const refused = Promise.withResolvers<void>();
    const logger = {
      ...silentLogger,
      child: () => logger,
      warn: (event: string, fields?: Readonly<Record<string, unknown>>) => {
        warned.push(`${event} ${fields?.reason}`);
        refused.resolve();
      },
    };
    using peer = new ExpertStreamPeer("w", address, systemClock, logger, { exchanged: () => undefined });
    await refused.promise;
    expect(peer.connected).toBe(false);
    expect(warned).toHaveLength(1);
    expect(warned[0]).toMatch(/^peer.unreachable .*cannot serve together/);
    expect(reached).toEqual([]);
  });
});
