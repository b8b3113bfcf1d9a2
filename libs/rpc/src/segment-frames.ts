import { create } from "@bufbuild/protobuf";
import type { SegmentName, SegmentRows } from "@drover/core";
import { ContextWorker, type GetSegment, GetSegmentSchema, type PutRows } from "@drover/proto";
import type { ServerWritableStream, ServiceError } from "@grpc/grpc-js";
import { putFrames } from "./context-frames.ts";
import { fromServiceError } from "./errors.ts";
import type { Network } from "./network.ts";

/** As the key of a map. */
export const nameOf = ({ sequenceId, segment }: SegmentName): string => `${segment} ${sequenceId}`;

/** Streams a segment as fast as its reader takes it: a real model's has hundreds of MiB. Resolves when all is sent or the reader has gone. */
export async function sendSegment(
  call: ServerWritableStream<GetSegment, PutRows>,
  rows: SegmentRows,
  sequenceId: string,
): Promise<void> {
  let hasLeft = false;
  const gone = new Promise<void>((resolve) => {
    for (const event of ["cancelled", "close", "error"]) call.once(event, () => resolve());
  });
  void gone.then(() => {
    hasLeft = true;
  });
  for (const frame of putFrames(rows)) {
    if (hasLeft) return;
    if (!call.write({ ...frame, sequenceId }))
      await Promise.race([gone, new Promise((resolve) => call.once("drain", resolve))]);
  }
  call.end();
}

/**
 * Reads a segment from the holder at `address`, frame by frame; the next one is read when the last was taken. Errors: the holder's (`not_found`), `unavailable` where
 * it cannot be reached; the signal's reason.
 */
export async function* fetchSegment(
  network: Network,
  address: string,
  name: SegmentName,
  signal: AbortSignal,
): AsyncGenerator<PutRows> {
  signal.throwIfAborted();
  using client = network.dial(address);
  const stream = client.serverStream(ContextWorker.method.get, create(GetSegmentSchema, name));
  const cancel = () => stream.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    for await (const frame of stream) {
      signal.throwIfAborted();
      yield frame;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw fromServiceError(error as ServiceError);
  } finally {
    signal.removeEventListener("abort", cancel);
    stream.cancel();
  }
}
