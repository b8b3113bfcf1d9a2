import { create } from "@bufbuild/protobuf";
import { at, type PromptImage } from "@drover/core";
import { type PromptImage as Message, PromptImageSchema } from "@drover/proto";
import { contentHashFromWire, contentHashToWire } from "./content-hash.ts";
import { wireFault } from "./wire-fault.ts";

export function promptImageToWire({ contentHash, runs, holder }: PromptImage): Message {
  return create(PromptImageSchema, {
    contentHash: contentHashToWire(contentHash),
    runStarts: runs.map(({ start }) => start),
    runCounts: runs.map(({ count }) => count),
    holder,
  });
}

/** Errors: `invalid_argument` for an image that stands outside of its prompt of `promptLength` tokens, or has no hash. */
export function promptImageFromWire(message: Message, promptLength: number): PromptImage {
  const { contentHash, runStarts, runCounts, holder } = message;
  if (runStarts.length !== runCounts.length)
    throw wireFault("images.run_counts", `has ${runCounts.length} entries for ${runStarts.length} runs`);
  const runs = runStarts.map((start, i) => ({ start, count: at(runCounts, i) }));
  if (runs.some(({ start, count }) => start + count > promptLength))
    throw wireFault("images.run_starts", "names rows outside of the prompt");
  return { contentHash: contentHashFromWire(contentHash, "images.content_hash"), runs, holder };
}
