import { once } from "node:events";
import { tilesHash } from "@drover/core";
import { VisionWorker } from "@drover/proto";
import { createServer, listen, RpcClient } from "@drover/rpc";
import { type Encoded, encodedFromWire, probeReplyFromWire, probeToWire, tilesFrameToWire } from "@drover/wire";
import { FeatureCache } from "../feature-cache.ts";
import type { TileEncoder } from "../feature-encodings.ts";
import { type VisionServiceOptions, visionService } from "../vision-service.ts";

export const IMAGE_SIZE = 8;
export const ROWS_PER_TILE = 4;
export const HIDDEN_SIZE = 3;
export const TILE_BYTES = IMAGE_SIZE ** 2 * 3;

export type Tiles = Readonly<{ tileCount: number; pixels: Uint8Array; contentHash: string }>;

/** Tiles that are `value` all over. */
export function tilesOf(value: number, tileCount = 1): Tiles {
  const pixels = new Uint8Array(tileCount * TILE_BYTES).fill(value);
  return { tileCount, pixels, contentHash: tilesHash(tileCount, IMAGE_SIZE, pixels) };
}

/** Features that tell whose they are. */
export function featuresOf({ tileCount, pixels }: Tiles): Float32Array {
  return new Float32Array(tileCount * ROWS_PER_TILE * HIDDEN_SIZE).map((_, i) => (pixels[0] ?? 0) + i / 1000);
}

/** Encodes when it is told to. */
export class HeldEncoder implements TileEncoder {
  readonly calls: Readonly<{
    tiles: Tiles;
    signal: AbortSignal;
    finish: () => void;
    fail: (error: unknown) => void;
  }>[] = [];
  #arrived = Promise.withResolvers<void>();
  /** Whether images are encoded at once. */
  isOpen = true;

  encode(tileCount: number, pixels: Uint8Array, signal: AbortSignal): Promise<Float32Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Float32Array>();
    const tiles = { tileCount, pixels, contentHash: tilesHash(tileCount, IMAGE_SIZE, pixels) };
    const finish = () => resolve(featuresOf(tiles));
    this.calls.push({ tiles, signal, finish, fail: reject });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    this.#arrived.resolve();
    if (this.isOpen) finish();
    return promise;
  }

  /** The first image that comes from now on, or has come. */
  async arrived() {
    await this.#arrived.promise;
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("an image has come");
    return call;
  }
}

/** A vision worker's service on loopback, and one who calls it. */
export async function visionWorker(options: Partial<VisionServiceOptions> = {}) {
  const encoder = new HeldEncoder();
  const cache = options.cache ?? new FeatureCache(2 ** 20);
  const server = createServer();
  const service = visionService({
    encoder,
    cache,
    imageSize: IMAGE_SIZE,
    rowsPerTile: ROWS_PER_TILE,
    hiddenSize: HIDDEN_SIZE,
    ...options,
  });
  server.addService(...service);
  const address = `127.0.0.1:${await listen(server, "127.0.0.1:0")}`;
  const client = new RpcClient(address);
  return {
    encoder,
    cache,
    address,
    client,
    encode: (tiles: Tiles, signal = new AbortController().signal) => sendTiles(client, tiles, signal),
    probe: async (...images: readonly Tiles[]) => {
      const request = probeToWire(images.map(({ contentHash }) => contentHash));
      return probeReplyFromWire(await client.unary(VisionWorker.method.probe, request, new AbortController().signal));
    },
    stop: () => server.forceShutdown(),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      server.forceShutdown();
    },
  };
}

/** As a router does, in frames of `frameBytes`. */
export async function sendTiles(
  client: RpcClient,
  { tileCount, pixels, contentHash }: Tiles,
  signal: AbortSignal,
  frameBytes = 100,
): Promise<Encoded> {
  const { call, reply } = client.clientStream(VisionWorker.method.encode, signal);
  let answered = false;
  const done = reply.finally(() => {
    answered = true;
  });
  done.catch(() => undefined);
  for (let at = 0; at < pixels.length && !answered; at += frameBytes) {
    const head = at === 0 ? { contentHash, tileCount, tileSize: IMAGE_SIZE } : undefined;
    if (!call.write(tilesFrameToWire({ head, pixels: pixels.subarray(at, at + frameBytes) })))
      await Promise.race([once(call, "drain", { signal }), done]);
  }
  call.end();
  return encodedFromWire(await done);
}
