import { DroverError, type Tracer, toDroverError } from "@drover/core";
import { type EncodeReply, VisionWorker } from "@drover/proto";
import { failStream, type RpcHandlers, type RpcService, rpcService, traceOf } from "@drover/rpc";
import { encodedToWire, featuresRequestFromWire, probeFromWire, probeReplyToWire } from "@drover/wire";
import {
  FEATURE_FETCHES_MAX,
  PROBE_HASHES_MAX,
  TILES_RECEIVE_MS_MAX,
  VISION_PIXEL_BYTES_MAX,
  VISION_RETRY_AFTER_MS,
} from "../../limits.ts";
import type { FeatureCache } from "./feature-cache.ts";
import { FeatureEncodings, type TileEncoder } from "./feature-encodings.ts";
import { sendFeatures } from "./feature-stream.ts";
import { EncodeCall, type EncodeHost } from "./vision-encode-call.ts";

export type VisionServiceOptions = Readonly<{
  encoder: TileEncoder;
  cache: FeatureCache;
  /** Side of a tile in pixels. */
  imageSize: number;
  /** Rows of features that a tile becomes, and their width. */
  rowsPerTile: number;
  hiddenSize: number;
  /** Whether images are encoded that are not here yet; features that are here are always given. Always, unless given. */
  accepting?: () => boolean;
  pixelBytesMax?: number;
  receiveMsMax?: number;
  tracer?: Tracer;
}>;

type Handlers = RpcHandlers<typeof VisionWorker>;
type EncodeStream = Parameters<Handlers["encode"]>[0];
type FeaturesStream = Parameters<Handlers["features"]>[0];

/** The gRPC face of the vision role: tiles from routers, features to attention workers. */
export function visionService(options: VisionServiceOptions): RpcService {
  const service = new VisionService(options);
  return rpcService(VisionWorker, {
    encode: (call) => service.encode(call),
    probe: (request) => probeReplyToWire(service.probe(probeFromWire(request))),
    features: (call) => void service.features(call),
  });
}

class VisionService implements EncodeHost {
  readonly cache: FeatureCache;
  readonly encodings: FeatureEncodings;
  readonly imageSize: number;
  readonly receiveMsMax: number;
  readonly #options: VisionServiceOptions;
  readonly #pixelBytesMax: number;
  /** Pixels of calls that are not answered yet. */
  #pixelBytes = 0;
  #fetchCount = 0;

  constructor(options: VisionServiceOptions) {
    this.#options = options;
    this.cache = options.cache;
    this.encodings = new FeatureEncodings(options.encoder, options.cache);
    this.imageSize = options.imageSize;
    this.receiveMsMax = options.receiveMsMax ?? TILES_RECEIVE_MS_MAX;
    this.#pixelBytesMax = options.pixelBytesMax ?? VISION_PIXEL_BYTES_MAX;
  }

  encode(call: EncodeStream): Promise<EncodeReply> {
    const { rowsPerTile, tracer } = this.#options;
    const span = tracer?.join("encode", traceOf(call.metadata), { kind: "server" });
    const { promise, resolve, reject } = Promise.withResolvers<EncodeReply>();
    const encodeCall = new EncodeCall(this, (outcome) => {
      if (outcome.kind === "failed") {
        reject(outcome.error);
        span?.end(toDroverError(outcome.error).code);
        return;
      }
      const { tileCount, cached } = outcome;
      span?.attributes({ "drover.tiles": tileCount, "drover.cached": cached });
      span?.end();
      resolve(encodedToWire({ rowCount: tileCount * rowsPerTile, cached }));
    });
    call.on("data", (frame) => encodeCall.frame(frame));
    call.on("end", () => encodeCall.end());
    call.on("cancelled", () => encodeCall.leave());
    call.on("error", () => encodeCall.leave());
    return promise;
  }

  /** Whose features are here, of so many hashes; a hit counts as use. */
  probe(contentHashes: readonly string[]): boolean[] {
    if (contentHashes.length > PROBE_HASHES_MAX) {
      const message = `has ${contentHashes.length} entries; at most ${PROBE_HASHES_MAX} are answered`;
      throw new DroverError("invalid_argument", message, { field: "content_hashes" });
    }
    // What is missing is counted when its tiles come.
    return contentHashes.map((hash) => this.cache.has(hash) && this.cache.find(hash) !== undefined);
  }

  async features(call: FeaturesStream): Promise<void> {
    try {
      const rows_aD = this.cache.read(featuresRequestFromWire(call.request));
      if (rows_aD === undefined) throw new DroverError("not_found", "these features are not here");
      if (this.#fetchCount >= FEATURE_FETCHES_MAX) throw overloaded("too many fetch features");
      this.#fetchCount += 1;
      try {
        await sendFeatures(call, rows_aD, this.#options.hiddenSize);
      } finally {
        this.#fetchCount -= 1;
      }
    } catch (error) {
      failStream(call, toDroverError(error));
    }
  }

  reserve(tileCount: number, byteCount: number): void {
    const { rowsPerTile, hiddenSize, accepting } = this.#options;
    if (accepting?.() === false) throw new DroverError("unavailable", "the worker is ending");
    const featureBytes = tileCount * rowsPerTile * hiddenSize * Float32Array.BYTES_PER_ELEMENT;
    if (!this.cache.fits(featureBytes)) {
      const message = `an image's features take ${featureBytes} bytes; this worker's cache has ${this.cache.bytesMax}`;
      throw new DroverError("payload_too_large", message);
    }
    if (this.#pixelBytes + byteCount > this.#pixelBytesMax) throw overloaded("too many images wait to be encoded");
    this.#pixelBytes += byteCount;
  }

  release(byteCount: number): void {
    this.#pixelBytes -= byteCount;
  }
}

function overloaded(message: string): DroverError {
  return new DroverError("overloaded", message, { retryAfterMs: VISION_RETRY_AFTER_MS });
}
