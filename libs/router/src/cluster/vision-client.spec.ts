import { DroverError, neverAborted } from "@drover/core";
import type { RequestImage } from "@drover/openai";
import { VisionWorker } from "@drover/proto";
import { createServer, listen, type RpcHandlers, rpcService } from "@drover/rpc";
import { clusterStateOf, SimClock } from "@drover/testkit";
import { encodedToWire, probeFromWire, probeReplyToWire, type TilesFrame, tilesFrameFromWire } from "@drover/wire";
import type { Server } from "@grpc/grpc-js";
import { afterEach, describe, expect, it } from "vitest";
import { ENCODE_MS_MAX, PROBE_LIMIT } from "../limits.ts";
import { VisionClient } from "./vision-client.ts";

type Handlers = RpcHandlers<typeof VisionWorker>;

/** A vision worker that keeps what it was given. */
class FakeVision {
  readonly held = new Map<string, Uint8Array>();
  readonly #server: Server = createServer();
  refusal: DroverError | undefined;
  /** Takes calls of this kind and answers none. */
  hangs: "probe" | "encode" | undefined;
  /** Calls that it took while it hung. */
  unanswered = 0;
  encodes = 0;
  address = "";

  async start(): Promise<this> {
    const probe: Handlers["probe"] = (request) => {
      if (this.hangs === "probe") return this.#hang();
      return probeReplyToWire(probeFromWire(request).map((hash) => this.held.has(hash)));
    };
    const encode: Handlers["encode"] = async (call) => {
      if (this.hangs === "encode") return this.#hang();
      this.encodes += 1;
      if (this.refusal !== undefined) {
        call.resume();
        throw this.refusal;
      }
      const frames: TilesFrame[] = [];
      for await (const message of call) frames.push(tilesFrameFromWire(message));
      const { contentHash = "", tileCount = 0 } = frames[0]?.head ?? {};
      this.held.set(contentHash, Buffer.concat(frames.map(({ pixels }) => pixels)));
      return encodedToWire({ rowCount: tileCount, cached: false });
    };
    this.#server.addService(...rpcService(VisionWorker, { probe, encode, features: (call) => call.end() }));
    this.address = `127.0.0.1:${await listen(this.#server, "127.0.0.1:0")}`;
    return this;
  }

  #hang(): Promise<never> {
    this.unanswered += 1;
    return new Promise(() => undefined);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

const state = (workers: readonly FakeVision[], draining: readonly FakeVision[] = []) =>
  clusterStateOf({
    workers: workers.map((worker, i) => ({
      workerId: `vision-${i}`,
      address: worker.address,
      roles: ["vision"],
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
  let clock = new SimClock();
  const metrics = { imageEncoded: (outcome: string) => void outcomes.push(outcome) };
  const visionClient = () => new VisionClient({ clock, metrics });
  afterEach(() => {
    for (const one of open.splice(0)) one.stop();
    outcomes = [];
    clock = new SimClock();
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

  it.each([
    ["does not even answer", "probe", PROBE_LIMIT.ms],
    ["takes an image and never encodes it", "encode", ENCODE_MS_MAX / 2],
  ] as const)("a worker that %s leaves time for another one", async (_name, hangs, ms) => {
    const { workers, client } = await cluster(2);
    const [first] = await client.encode([image(1)], neverAborted);
    const hanging = workers.find(({ address }) => address === first?.holder);
    const other = workers.find(({ address }) => address !== first?.holder);
    hanging?.held.clear();
    if (hanging !== undefined) hanging.hangs = hangs;
    const encoding = client.encode([image(1)], neverAborted);
    await expect.poll(() => hanging?.unanswered).toBe(1);
    await clock.advance(ms);
    expect((await encoding)[0]?.holder).toBe(other?.address);
    expect(outcomes).toEqual(["encoded", "encoded"]);
  });

  it("workers that all hang are unavailable once the time is over, with when to come back", async () => {
    const { workers, client } = await cluster(2);
    for (const worker of workers) worker.hangs = "encode";
    const encoding = client.encode([image(1)], neverAborted);
    encoding.catch(() => undefined);
    const unanswered = () => workers.reduce((sum, worker) => sum + worker.unanswered, 0);
    await expect.poll(unanswered).toBe(1);
    await clock.advance(ENCODE_MS_MAX / 2);
    await expect.poll(unanswered).toBe(2);
    await clock.advance(ENCODE_MS_MAX / 2);
    await expect(encoding).rejects.toMatchObject({
      code: "unavailable",
      message: "an image cannot be encoded: the vision worker did not encode it within 60 s",
      retryAfterMs: 1000,
    });
    await expect(encoding).rejects.toBeInstanceOf(DroverError);
    expect(outcomes).toEqual(["failed"]);
    expect(clock.sleeperCount).toBe(0);
  });

  it("who leaves while a worker hangs has left, and no other worker is asked", async () => {
    const { workers, client } = await cluster(2);
    for (const worker of workers) worker.hangs = "encode";
    const leaving = new AbortController();
    const left = new DroverError("cancelled", "the client has left");
    const encoding = client.encode([image(1)], leaving.signal);
    const unanswered = () => workers.reduce((sum, worker) => sum + worker.unanswered, 0);
    await expect.poll(unanswered).toBe(1);
    leaving.abort(left);
    await expect(encoding).rejects.toBe(left);
    expect([unanswered(), outcomes]).toEqual([1, ["abandoned"]]);
  });

  it("a request that has ended sends nothing more", async () => {
    const { client } = await cluster(1);
    const over = new AbortController();
    over.abort(new DroverError("cancelled", "the client has left"));
    await expect(client.encode([image(1)], over.signal)).rejects.toMatchObject({ code: "cancelled" });
    expect(outcomes).toEqual(["abandoned"]);
  });
});
