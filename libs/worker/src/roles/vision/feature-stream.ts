import { DroverError } from "@drover/core";
import { type FeatureFrame, type FeaturesRequest, VisionWorker } from "@drover/proto";
import { fromServiceError, type RpcClient } from "@drover/rpc";
import { featuresFrameFromWire, featuresFrameToWire, featuresRequestToWire } from "@drover/wire";
import type { ServerWritableStream, ServiceError } from "@grpc/grpc-js";
import { VISION_FRAME_BYTES_MAX } from "../../limits.ts";

/** Streams features, f32 little-endian [a, hiddenSize], as fast as the reader takes them. Resolves when all is sent or the reader has gone. */
export async function sendFeatures(
  call: ServerWritableStream<FeaturesRequest, FeatureFrame>,
  rows_aD: Float32Array,
  hiddenSize: number,
): Promise<void> {
  const bytes = new Uint8Array(rows_aD.buffer, rows_aD.byteOffset, rows_aD.byteLength);
  const gone = new Promise<void>((resolve) => {
    for (const event of ["cancelled", "close", "error"]) call.once(event, () => resolve());
  });
  let hasLeft = false;
  void gone.then(() => {
    hasLeft = true;
  });
  for (let at = 0; at < bytes.length && !hasLeft; at += VISION_FRAME_BYTES_MAX) {
    const rowCount = at === 0 ? rows_aD.length / hiddenSize : undefined;
    const frame = featuresFrameToWire({ rowCount, bytes: bytes.subarray(at, at + VISION_FRAME_BYTES_MAX) });
    if (!call.write(frame)) await Promise.race([gone, new Promise((resolve) => call.once("drain", resolve))]);
  }
  call.end();
}

/**
 * Fetches an image's features from a vision worker, [rowCount, hiddenSize].
 * Errors: the worker's (`not_found`); `internal` when it sends another number of rows; the signal's reason.
 */
export function fetchFeatures(
  client: RpcClient,
  contentHash: string,
  rowCount: number,
  hiddenSize: number,
  signal: AbortSignal,
): Promise<Float32Array> {
  const call = client.serverStream(VisionWorker.method.features, featuresRequestToWire(contentHash));
  const rows_aD = new Float32Array(rowCount * hiddenSize);
  const bytes = new Uint8Array(rows_aD.buffer);
  let received = 0;
  const { promise, resolve, reject } = Promise.withResolvers<Float32Array>();
  const give = (error: unknown) => {
    reject(error);
    call.cancel();
  };
  const wrong = (what: string) => give(new DroverError("internal", `the vision worker sent ${what}`));
  const onAbort = () => give(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  call.on("data", (message: FeatureFrame) => {
    const { rowCount: sentCount, bytes: part } = featuresFrameFromWire(message);
    if (received === 0 && sentCount !== rowCount) return wrong(`${sentCount ?? 0} rows in place of ${rowCount}`);
    if (received + part.length > bytes.length) return wrong(`more than ${rowCount} rows`);
    bytes.set(part, received);
    received += part.length;
  });
  call.on("end", () => {
    // A call that failed ends too, but has said why before.
    if (received === bytes.length) resolve(rows_aD);
    else wrong(`${received} bytes of ${bytes.length}`);
  });
  call.on("error", (error: ServiceError) => reject(fromServiceError(error)));
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}
