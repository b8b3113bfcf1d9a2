import { at, DroverError, type PayloadStore, type PromptEvent, requestId, type TokenEvent } from "@drover/core";
import { stepFromWire, stepToWire } from "@drover/wire";
import { KEYED_SEGMENTS_AT_ONCE } from "../limits.ts";
import { type Origin, SEGMENT_DIGEST_BYTES } from "./origin.ts";

/** What a worker has told of one of a request's prompts. */
export type Delivered = Readonly<{ prompt: number; event: PromptEvent | TokenEvent }>;

/** What was delivered of a request, in order, and of what it is an answer: undefined where nothing was. */
export type Segments = Readonly<{
  delivered: readonly Delivered[];
  digest: Uint8Array | undefined;
  count: number;
  byteCount: number;
}>;

const HEAD_BYTES = SEGMENT_DIGEST_BYTES + 4;
/** The epoch of the router that wrote a segment. */
export const epochOf = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset).readUInt32LE(SEGMENT_DIGEST_BYTES);

/** Of what a segment is an answer. */
export const digestIn = (bytes: Uint8Array) => bytes.subarray(0, SEGMENT_DIGEST_BYTES);

/** Where a segment lies. */
export const segmentKey = (name: string, { id }: Pick<Origin, "id">, index: number) => `${name}/${id}/${index}`;

/** A segment's bytes: of what it is an answer, its router's epoch, then what a worker has told, of requests that are the prompts' numbers. */
export function segmentBytes(digest: Uint8Array, epoch: number, delivered: readonly Delivered[]): Uint8Array {
  const events = delivered.map(({ prompt, event }) => ({ requestId: requestId(String(prompt)), attempt: 0, event }));
  const head = Buffer.alloc(HEAD_BYTES);
  head.set(digest);
  head.writeUInt32LE(epoch, SEGMENT_DIGEST_BYTES);
  return Buffer.concat([head, stepToWire(events)]);
}

/** What a segment of {@link segmentBytes} tells. Errors: `internal` for one that this build cannot read. */
export function deliveredOf(bytes: Uint8Array): Delivered[] {
  return stepFromWire(bytes.subarray(HEAD_BYTES)).map(({ requestId, event }) => {
    if (event.kind === "prompt" || event.kind === "token") return { prompt: Number(requestId), event };
    throw new DroverError("internal", "a kept part of an answer cannot be read");
  });
}

/** All that is kept of a request, up to the first segment that the store has lost. Errors: those of the store, and of {@link deliveredOf}. */
export async function readSegments(
  store: PayloadStore,
  name: string,
  origin: Pick<Origin, "id">,
  signal: AbortSignal,
): Promise<Segments> {
  const found: Uint8Array[] = [];
  for (;;) {
    const indices = Array.from({ length: KEYED_SEGMENTS_AT_ONCE }, (_, i) => found.length + i);
    const some = await Promise.all(indices.map((index) => store.get(segmentKey(name, origin, index), signal)));
    for (const bytes of some) {
      const before = found.at(-1);
      // What an older router wrote behind a newer one's went on with what the newer one did not find.
      if (bytes === undefined || (before !== undefined && epochOf(bytes) < epochOf(before))) return segmentsOf(found);
      found.push(bytes);
    }
  }
}

function segmentsOf(found: readonly Uint8Array[]): Segments {
  return {
    delivered: found.flatMap(deliveredOf),
    digest: found.length === 0 ? undefined : digestIn(at(found, 0)),
    count: found.length,
    byteCount: found.reduce((sum, { length }) => sum + length, 0),
  };
}
