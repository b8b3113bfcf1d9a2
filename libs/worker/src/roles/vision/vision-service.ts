import { create } from "@bufbuild/protobuf";
import { DroverError, type Tracer, toDroverError } from "@drover/core";
import {
  type EncodeFrame,
  type EncodeReply,
  EncodeReplySchema,
  type FeatureFrame,
  type FeaturesRequest,
  type ProbeReply,
  ProbeReplySchema,
  type ProbeRequest,
} from "@drover/proto";
import { toServiceError, traceOf } from "@drover/rpc";
import type {
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { FeatureCache } from "./feature-cache.ts";
import { FeatureEncodings, type TileEncoder } from "./feature-encodings.ts";
import { sendFeatures } from "./feature-stream.ts";
import { EncodeCall, type EncodeHost } from "./vision-encode-call.ts";
import { VISION_SERVICE_LIMITS } from "./vision-limits.ts";

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

/** The gRPC face of the vision role: tiles from routers, features to attention workers. */
export function visionService(options: VisionServiceOptions): UntypedServiceImplementation {
  const service = new VisionService(options);
  return {
    encode: (call: ServerReadableStream<EncodeFrame, EncodeReply>, callback: sendUnaryData<EncodeReply>) =>
      service.encode(call, callback),
    probe: (call: ServerUnaryCall<ProbeRequest, ProbeReply>, callback: sendUnaryData<ProbeReply>) =>
      service.probe(call.request, callback),
    features: (call: ServerWritableStream<FeaturesRequest, FeatureFrame>) => void service.features(call),
  };
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
    this.receiveMsMax = options.receiveMsMax ?? VISION_SERVICE_LIMITS.receiveMsMax;
    this.#pixelBytesMax = options.pixelBytesMax ?? VISION_SERVICE_LIMITS.pixelBytesMax;
  }

  encode(call: ServerReadableStream<EncodeFrame, EncodeReply>, callback: sendUnaryData<EncodeReply>): void {
    const { rowsPerTile } = this.#options;
    const span = this.#options.tracer?.join("encode", traceOf(call.metadata), { kind: "server" });
    const encodeCall = new EncodeCall(this, (outcome) => {
      if (outcome.kind === "failed") span?.end(toDroverError(outcome.error).code);
      else span?.attributes({ "drover.tiles": outcome.tileCount, "drover.cached": outcome.cached });
      span?.end();
      if (outcome.kind === "failed") return callback(toServiceError(toDroverError(outcome.error)));
      const { tileCount, cached } = outcome;
      callback(null, create(EncodeReplySchema, { rowCount: tileCount * rowsPerTile, cached }));
    });
    call.on("data", (frame: EncodeFrame) => encodeCall.frame(frame));
    call.on("end", () => encodeCall.end());
    call.on("cancelled", () => encodeCall.leave());
    call.on("error", () => encodeCall.leave());
  }

  probe({ contentHashes }: ProbeRequest, callback: sendUnaryData<ProbeReply>): void {
    const { probeHashesMax } = VISION_SERVICE_LIMITS;
    if (contentHashes.length > probeHashesMax) {
      const message = `has ${contentHashes.length} entries; at most ${probeHashesMax} are answered`;
      callback(toServiceError(new DroverError("invalid_argument", message, { field: "content_hashes" })));
      return;
    }
    const held = contentHashes.map((bytes) => {
      const contentHash = hex(bytes);
      // What is missing is counted when its tiles come.
      return this.cache.has(contentHash) && this.cache.find(contentHash) !== undefined;
    });
    callback(null, create(ProbeReplySchema, { held }));
  }

  async features(call: ServerWritableStream<FeaturesRequest, FeatureFrame>): Promise<void> {
    // Not destroy: a stream that is destroyed sends no status.
    const refuse = (error: DroverError) => void call.emit("error", toServiceError(error));
    const rows_aD = this.cache.read(hex(call.request.contentHash));
    if (rows_aD === undefined) return refuse(new DroverError("not_found", "these features are not here"));
    if (this.#fetchCount >= VISION_SERVICE_LIMITS.fetchesMax) return refuse(overloaded("too many fetch features"));
    this.#fetchCount += 1;
    try {
      await sendFeatures(call, rows_aD, this.#options.hiddenSize);
    } finally {
      this.#fetchCount -= 1;
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

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function overloaded(message: string): DroverError {
  return new DroverError("overloaded", message, { retryAfterMs: VISION_SERVICE_LIMITS.retryAfterMs });
}
