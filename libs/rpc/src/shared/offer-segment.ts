import { create } from "@bufbuild/protobuf";
import { type Clock, withTimeout } from "@drover/core";
import { ExpertMemory, SegmentOfferSchema } from "@drover/proto";
import type { SharedMemory, SharedSegment } from "@drover/shared-memory";
import type { RpcClient } from "../client.ts";
import { SHARE_MS_MAX } from "../limits.ts";

const SHARE_LIMIT = { ms: SHARE_MS_MAX, message: "the worker has not said in time whether it takes a segment" };

/** What both processes understand of a segment: how it is laid out, and its bytes. */
export type SegmentKind = Readonly<{ layout: number; byteCount: number }>;

/**
 * Offers a new segment to a worker, over a connection that is ended then, and returns what was made of it. `use` makes that before the offer, and owns the segment from then on: it is disposed of
 * where the worker refuses. Errors: the worker's, `not_found` where it is of another host; `unavailable` where there is no such memory; those of `use`.
 */
export async function offerSegment<T extends Disposable>(
  memory: SharedMemory,
  { layout, byteCount }: SegmentKind,
  to: RpcClient,
  use: (segment: SharedSegment) => T,
  clock: Clock,
  signal: AbortSignal,
): Promise<T> {
  using client = to;
  const { segment, offer, withdraw } = memory.create(byteCount);
  let made: T | undefined;
  try {
    made = use(segment);
    const message = create(SegmentOfferSchema, { ...offer, layout });
    await withTimeout(SHARE_LIMIT, clock, signal, (limited) =>
      client.unary(ExpertMemory.method.share, message, limited),
    );
    return made;
  } catch (error) {
    segment[Symbol.dispose]();
    if (made === undefined) segment.unmap();
    made?.[Symbol.dispose]();
    throw error;
  } finally {
    withdraw();
  }
}
