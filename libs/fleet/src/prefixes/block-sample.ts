import { BLOCK_HASH_BYTES } from "@drover/kv";
import { SAMPLES_PER_DOUBLING } from "../limits.ts";

/**
 * The blocks whose hashes placement gets to see, ascending: every one of the first 2 x SAMPLES_PER_DOUBLING, then that many in each doubling
 * of the length, each the last of its step. A prefix is looked for from its end, so its length is found to within 1/128; 1,048,576 tokens
 * are 1,024 hashes, 16 KiB, where all would be 256 KiB. Which blocks these are does not depend on the chain's length.
 */
export function sampledBlocks(blockCount: number): number[] {
  const blocks: number[] = [];
  let step = 1;
  for (let block = 0; block + step <= blockCount; block += step) {
    if (block === 2 * step * SAMPLES_PER_DOUBLING) step *= 2;
    if (block + step <= blockCount) blocks.push(block + step - 1);
  }
  return blocks;
}

/** Blocks before the end of the last of so many sampled ones. */
export function sampledEnd(hashCount: number): number {
  const whole = 2 * SAMPLES_PER_DOUBLING;
  if (hashCount <= whole) return hashCount;
  const doublings = Math.floor((hashCount - whole) / SAMPLES_PER_DOUBLING);
  const rest = (hashCount - whole) % SAMPLES_PER_DOUBLING;
  return 2 ** doublings * (whole + 2 * rest);
}

/** The sampled hashes of a chain, both in the wire form. */
export function sampleHashes(wire: Uint8Array): Uint8Array {
  const blocks = sampledBlocks(Math.floor(wire.length / BLOCK_HASH_BYTES));
  const sample = new Uint8Array(blocks.length * BLOCK_HASH_BYTES);
  for (const [i, block] of blocks.entries()) {
    const from = block * BLOCK_HASH_BYTES;
    sample.set(wire.subarray(from, from + BLOCK_HASH_BYTES), i * BLOCK_HASH_BYTES);
  }
  return sample;
}
