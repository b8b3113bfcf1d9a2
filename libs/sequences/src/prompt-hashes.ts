import type { SequencePrompt } from "@drover/core";
import { BLOCK_HASH_BYTES, BLOCK_TOKENS, BlockHashes, type HashSeed } from "@drover/kv";

/** A prompt's chain of block hashes: what came with it, and what is missing of it. A chain longer than the tokens cannot be theirs and is computed anew. */
export function hashesOf({ tokenIds, blockHashes, images, salt }: SequencePrompt, seed: HashSeed): BlockHashes {
  const known = blockHashes.byteLength / BLOCK_HASH_BYTES;
  const isWhole = Number.isInteger(known) && known * BLOCK_TOKENS <= tokenIds.length;
  const blockCount = isWhole ? known : 0;
  const rest = Int32Array.from(tokenIds.slice(blockCount * BLOCK_TOKENS));
  return BlockHashes.resume(
    { ...seed, salt: salt ?? seed.salt },
    isWhole ? blockHashes : new Uint8Array(),
    rest,
    images,
  );
}
