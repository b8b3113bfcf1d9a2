import { once } from "node:events";
import { type Clock, DroverError, type PromptImage, type TraceContext, toDroverError, withTimeout } from "@drover/core";
import type { ClusterState } from "@drover/fleet";
import type { RequestImage } from "@drover/openai";
import { VisionWorker } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { probeReplyFromWire, probeToWire, tilesFrameToWire } from "@drover/wire";
import { ENCODE_MS_MAX, PROBE_LIMIT, RETRY_AFTER_MS, TILE_FRAME_BYTES } from "../limits.ts";
import type { EncodeOutcome, RouterMetrics } from "../metrics/router-metrics.ts";

export type VisionClientOptions = Readonly<{
  clock: Clock;
  metrics: Pick<RouterMetrics, "imageEncoded">;
}>;

type VisionWorkers = readonly Readonly<{ workerId: string; address: string }>[];

/** Hands images to the vision workers and learns who has their features. */
export class VisionClient implements Disposable {
  readonly #options: VisionClientOptions;
  readonly #clients = new Map<string, RpcClient>();
  #workers: VisionWorkers = [];
  /** They answer for what they have, and take new images only until they end. */
  #draining: VisionWorkers = [];

  constructor(options: VisionClientOptions) {
    this.#options = options;
  }

  /** Takes the cluster's newest state; connections to workers that are gone are closed. */
  update(state: ClusterState): void {
    const ready = state.workers.filter(({ roles, status }) => roles.includes("vision") && status?.ready);
    this.#workers = ready.filter(({ status }) => !status?.draining);
    this.#draining = ready.filter(({ status }) => status?.draining);
    const present = new Set(state.workers.map(({ address }) => address));
    for (const [address, client] of this.#clients) {
      if (present.has(address)) continue;
      client[Symbol.dispose]();
      this.#clients.delete(address);
    }
  }

  /** Where each image's features are, once they are there. Errors: `unavailable` when no vision worker makes them, `overloaded`. */
  async encode(
    images: readonly RequestImage[],
    signal: AbortSignal,
    trace?: TraceContext,
  ): Promise<readonly PromptImage[]> {
    return Promise.all(
      images.map(async (image) => ({
        contentHash: image.tiles.contentHash,
        runs: image.runs,
        holder: await this.#holder(image, signal, trace),
      })),
    );
  }

  /** Asks one worker after the other. Each but the last gets half of the time that is left, so that one which hangs leaves some for the next. */
  async #holder({ tiles }: RequestImage, signal: AbortSignal, trace?: TraceContext): Promise<string> {
    const { clock, metrics } = this.#options;
    const beganMs = clock.monotonic();
    const ended = (outcome: EncodeOutcome) => metrics.imageEncoded(outcome, (clock.monotonic() - beganMs) / 1000);
    let reason: unknown = new DroverError("unavailable", "no vision worker is ready");
    const { contentHash } = tiles;
    const workers = [...preferred(this.#workers, contentHash), ...preferred(this.#draining, contentHash)];
    for (const [i, { address }] of workers.entries()) {
      const client = this.#client(address);
      const leftMs = ENCODE_MS_MAX - (clock.monotonic() - beganMs);
      const ms = i === workers.length - 1 ? leftMs : leftMs / 2;
      const limit = { ms, message: `the vision worker did not encode it within ${Math.round(ms / 1000)} s` };
      try {
        ended(await withTimeout(limit, clock, signal, (limited) => this.#give(client, tiles, limited, trace)));
        return address;
      } catch (error) {
        if (signal.aborted) {
          ended("abandoned");
          throw signal.reason;
        }
        reason = error;
      }
    }
    ended("failed");
    const { code, message } = toDroverError(reason);
    throw new DroverError(code === "overloaded" ? code : "unavailable", `an image cannot be encoded: ${message}`, {
      retryAfterMs: RETRY_AFTER_MS,
      cause: reason,
    });
  }

  /** Hands a worker an image's tiles, unless it has the features already. Errors: the worker's; `deadline_exceeded` where it does not answer. */
  async #give(client: RpcClient, tiles: Tiles, signal: AbortSignal, trace?: TraceContext): Promise<EncodeOutcome> {
    const ask = (limited: AbortSignal) => holds(client, tiles, limited);
    if (await withTimeout(PROBE_LIMIT, this.#options.clock, signal, ask)) return "held";
    await send(client, tiles, signal, trace);
    return "encoded";
  }

  #client(address: string): RpcClient {
    const known = this.#clients.get(address) ?? new RpcClient(address);
    this.#clients.set(address, known);
    return known;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client[Symbol.dispose]();
    this.#clients.clear();
  }
}

/** Rendezvous hashing: an image comes to the same worker, and its cache, from every router. Source: Thaler and Ravishankar, 1998. */
function preferred<W extends Readonly<{ workerId: string }>>(workers: readonly W[], contentHash: string): W[] {
  const score = ({ workerId }: W) => fnv1a(contentHash + workerId);
  return [...workers].sort((a, b) => score(b) - score(a));
}

/** 32-bit FNV-1a. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

type Tiles = RequestImage["tiles"];

async function holds(client: RpcClient, { contentHash }: Tiles, signal: AbortSignal): Promise<boolean> {
  const [held] = probeReplyFromWire(await client.unary(VisionWorker.method.probe, probeToWire([contentHash]), signal));
  return held === true;
}

async function send(client: RpcClient, tiles: Tiles, signal: AbortSignal, trace?: TraceContext): Promise<void> {
  const { contentHash, tileSize, pixels } = tiles;
  const { call, reply } = client.clientStream(VisionWorker.method.encode, signal, trace);
  const tileCount = pixels.byteLength / (3 * tileSize ** 2);
  // The reply comes early when the worker refuses or has the features: then nothing more need be written.
  let answered = false;
  const done = reply.finally(() => {
    answered = true;
  });
  // It is awaited below, but not while a write waits for room.
  done.catch(() => undefined);
  for (let at = 0; at < pixels.byteLength && !answered; at += TILE_FRAME_BYTES) {
    const part = pixels.subarray(at, at + TILE_FRAME_BYTES);
    const head = at === 0 ? { contentHash, tileCount, tileSize } : undefined;
    if (!call.write(tilesFrameToWire({ head, pixels: part })))
      await Promise.race([once(call, "drain", { signal }), done]);
  }
  call.end();
  await done;
}
