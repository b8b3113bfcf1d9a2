import { setImmediate } from "node:timers/promises";
import { BlockHashes, type HashSeed } from "@drover/kv";
import type { InferenceRequest } from "@drover/openai";
import { HASH_SLICE_TOKENS } from "../limits.ts";

/**
 * The hash chain of a prompt's whole blocks, 16 bytes each. Long prompts are hashed in slices of a few milliseconds, and everybody else gets
 * the event loop in between. Errors: the signal's reason.
 */
export async function hashPrompt(
  { promptTokenIds, images }: Pick<InferenceRequest, "promptTokenIds" | "images">,
  seed: HashSeed,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const hashed = images.map(({ tiles, runs }) => ({ contentHash: tiles.contentHash, runs }));
  const hashes = new BlockHashes(seed, hashed);
  const ids = new Int32Array(promptTokenIds.buffer, promptTokenIds.byteOffset, promptTokenIds.length);
  for (let at = 0; at < ids.length; at += HASH_SLICE_TOKENS) {
    if (at > 0) await setImmediate();
    signal.throwIfAborted();
    hashes.append(ids.subarray(at, at + HASH_SLICE_TOKENS));
  }
  return hashes.wire.slice();
}

/** Whether the request may take cached rows: what it wants to know of its prompt is known of computed rows only. */
export function reusesPrefix({ sampling }: Pick<InferenceRequest, "sampling">): boolean {
  return sampling.promptTopLogprobs < 0 && !sampling.routedExperts;
}
