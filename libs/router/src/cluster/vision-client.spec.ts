import { create } from "@bufbuild/protobuf";
import { DroverError, neverAborted } from "@drover/core";
import {
  ClusterStateSchema,
  type EncodeFrame,
  EncodeReplySchema,
  ProbeReplySchema,
  type ProbeRequest,
  VisionWorker,
  WorkerRole,
} from "@drover/proto";
import { createServer, listen, serviceDefinition, toServiceError } from "@drover/rpc";
import { SimClock } from "@drover/testkit";
import type {
  Server,
  ServerReadableStream,
  ServerUnaryCall,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import type { RequestImage } from "../openai/request-images.ts";
import { VisionClient } from "./vision-client.ts";

/** A vision worker that keeps what it was given. */
class FakeVision {
  readonly held = new Map<string, Uint8Array>();
  readonly #server: Server = createServer();
  refusal: DroverError | undefined;
  encodes = 0;
  address = "";

  async start(): Promise<this> {
    const probe = (call: ServerUnaryCall<ProbeRequest, unknown>, callback: sendUnaryData<unknown>) => {
      const held = call.request.contentHashes.map((hash) => this.held.has(Buffer.from(hash).toString("hex")));
      callback(null, create(ProbeReplySchema, { held }));
    };
    const encode = (call: ServerReadableStream<EncodeFrame, unknown>, callback: sendUnaryData<unknown>) => {
      this.encodes += 1;
      const frames: EncodeFrame[] = [];
      if (this.refusal !== undefined) {
        callback(toServiceError(this.refusal));
        call.resume();
        return;
      }
      call.on("data", (frame: EncodeFrame) => frames.push(frame));
      call.on("end", () => {
        const hash = Buffer.from(frames[0]?.contentHash ?? []).toString("hex");
        this.held.set(hash, Buffer.concat(frames.map(({ pixels }) => pixels)));
        callback(null, create(EncodeReplySchema, { rowCount: frames[0]?.tileCount ?? 0 }));
      });
    };
    const service = { probe, encode } as unknown as UntypedServiceImplementation;
    this.#server.addService(serviceDefinition(VisionWorker), {
      ...service,
      features: () => undefined,
    } as UntypedServiceImplementation);
    this.address = `127.0.0.1:${await listen(this.#server, "127.0.0.1:0")}`;
    return this;
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

const state = (workers: readonly FakeVision[], draining: readonly FakeVision[] = []) =>
  create(ClusterStateSchema, {
    workers: workers.map((worker, i) => ({
      workerId: `vision-${i}`,
      address: worker.address,
      roles: [WorkerRole.VISION],
      status: { ready: true, draining: draining.includes(worker) },
    })),
  });

function image(name: number, byteCount = 600_000): RequestImage {
  const tileSize = 100;
  const pixels = new Uint8Array(Math.round(byteCount / (3 * tileSize ** 2)) * 3 * tileSize ** 2).map(
    (_, i) => i + name,
  );
  const contentHash = name.toString(16).padStart(64, "0");
  return { tiles: { grid: { rows: 1, cols: 1 }, tileSize, pixels, contentHash }, runs: [{ start: 0, count: 1 }] };
}

describe("VisionClient", () => {
  const open: { stop(): void }[] = [];
  let outcomes: string[] = [];
  const metrics = { imageEncoded: (outcome: string) => void outcomes.push(outcome) };
  const visionClient = () => new VisionClient({ clock: new SimClock(), metrics });
  afterEach(() => {
    for (const one of open.splice(0)) one.stop();
    outcomes = [];
  });
  async function cluster(count: number) {
    const workers = await Promise.all(Array.from({ length: count }, () => new FakeVision().start()));
    const client = visionClient();
    open.push(...workers, { stop: () => client[Symbol.dispose]() });
    client.update(state(workers));
    return { workers, client };
  }

  it("hands over the tiles whole, once for each image, and says who has the features", async () => {
    const { workers, client } = await cluster(2);
    const images = [image(1), image(2), image(3)];
    const placed = await client.encode(images, neverAborted);
    for (const [i, { contentHash, holder }] of placed.entries()) {
      const worker = workers.find(({ address }) => address === holder);
      expect(Buffer.compare(worker?.held.get(contentHash) ?? Buffer.of(), images[i]?.tiles.pixels ?? Buffer.of())).toBe(
        0,
      );
    }
    expect(await client.encode(images, neverAborted)).toEqual(placed);
    expect(workers.reduce((sum, { encodes }) => sum + encodes, 0)).toBe(3);
    expect(outcomes).toEqual([...Array(3).fill("encoded"), ...Array(3).fill("held")]);
  });

  it("a worker that drains gets an image only where nobody else takes it", async () => {
    const { workers, client } = await cluster(2);
    const [first] = await client.encode([image(1)], neverAborted);
    const preferred = workers.filter(({ address }) => address === first?.holder);
    client.update(state(workers, preferred));
    const [elsewhere] = await client.encode([image(1)], neverAborted);
    expect(elsewhere?.holder).not.toBe(first?.holder);
    client.update(state(workers, workers));
    const [again] = await client.encode([image(1)], neverAborted);
    expect(again?.holder).toBe(first?.holder);
  });

  it("another worker takes what the preferred one refuses or what it died with", async () => {
    const { workers, client } = await cluster(2);
    const [first] = await client.encode([image(1)], neverAborted);
    const preferred = workers.find(({ address }) => address === first?.holder);
    const other = workers.find(({ address }) => address !== first?.holder);
    preferred?.held.clear();
    if (preferred !== undefined) preferred.refusal = new DroverError("overloaded", "too many wait");
    expect((await client.encode([image(1)], neverAborted))[0]?.holder).toBe(other?.address);
    preferred?.stop();
    expect((await client.encode([image(1)], neverAborted))[0]?.holder).toBe(other?.address);
  });

  it("without a vision worker, or with full ones, the fault says which", async () => {
    const none = visionClient();
    await expect(none.encode([image(1)], neverAborted)).rejects.toMatchObject({ code: "unavailable" });
    expect(await none.encode([], neverAborted)).toEqual([]);
    const { workers, client } = await cluster(1);
    for (const worker of workers) worker.refusal = new DroverError("overloaded", "too many wait");
    await expect(client.encode([image(1)], neverAborted)).rejects.toMatchObject({ code: "overloaded" });
    expect(outcomes).toEqual(["failed", "failed"]);
  });

  it("a request that has ended sends nothing more", async () => {
    const { client } = await cluster(1);
    const over = new AbortController();
    over.abort(new DroverError("cancelled", "the client has left"));
    await expect(client.encode([image(1)], over.signal)).rejects.toMatchObject({ code: "cancelled" });
    expect(outcomes).toEqual(["abandoned"]);
  });
});
