import { BLOCK_HASH_BYTES } from "@drover/kv";
import type { PrefixHolders } from "./prefix-holders.ts";

/** What the length of a hit depends on: tokens of a block, and of a chunk of the local layers. */
export type PrefixShape = Readonly<{ blockTokens: number; chunkTokens: number }>;

type Tables = Readonly<{ global: PrefixHolders; local: PrefixHolders }>;

/** Tokens cached by workers, both in the same order. */
export type FoundTokens = Readonly<{ workers: Uint32Array; tokens: Float64Array }>;

/**
 * How many tokens of a prompt each worker has cached. Caches keep beginnings of chains only, so the holders of block i + 1 are among those
 * of block i, and halving finds where each worker's prefix ends; workers that agree are looked up together. A hit that ends within a chunk
 * needs the local rows from the chunk's beginning; where they are missing it ends there. `sample`: the blocks whose hashes `wire` has,
 * ascending; absent: all of them from the first one on.
 */
export function cachedTokens(
  tables: Tables,
  shape: PrefixShape,
  wire: Uint8Array,
  promptLength: number,
  isAlive: (worker: number) => boolean,
  sample?: readonly number[],
): FoundTokens {
  const { blockTokens, chunkTokens } = shape;
  const view = new DataView(wire.buffer, wire.byteOffset, wire.byteLength);
  // Ends are counts of hashes here; these are the blocks that they stand for, and the other way round.
  const blocksBefore = (hashes: number) =>
    sample === undefined || hashes === 0 ? hashes : (sample[hashes - 1] ?? 0) + 1;
  const hashesBefore = (block: number) => (sample === undefined ? block : countBelow(sample, block));
  const hashCount = Math.min(wire.length / BLOCK_HASH_BYTES, sample?.length ?? Number.POSITIVE_INFINITY);
  const blocks = Math.max(0, Math.min(hashCount, hashesBefore(Math.floor((promptLength - 1) / blockTokens))));
  const first = blocks === 0 ? [] : tables.global.holders(slotOf(tables.global, view, 0)).filter(isAlive);
  const workers = Uint32Array.from(first);
  const globalEnds = new Float64Array(workers.length);
  endsOf(tables.global, view, 1, blocks, workers, globalEnds, 0, workers.length);
  const chunkBlocks = chunkTokens / blockTokens;
  const tokens = globalEnds.map((end) => blocksBefore(end) * blockTokens);
  if (!Number.isInteger(chunkBlocks)) return { workers, tokens };
  // By worker: the lookups below change their order. Numbers are dense, so that a list is enough.
  const globalEndOf = new Float64Array(workers.reduce((most, worker) => Math.max(most, worker), 0) + 1);
  for (let i = 0; i < workers.length; i++) globalEndOf[workers[i] ?? 0] = globalEnds[i] ?? 0;
  // The ends ascend, so those of one chunk are together.
  for (let from = 0, to = 0; from < workers.length; from = to) {
    const chunkStart = Math.floor(blocksBefore(globalEnds[from] ?? 0) / chunkBlocks) * chunkBlocks;
    const start = hashesBefore(chunkStart);
    while (to < workers.length && blocksBefore(globalEnds[to] ?? 0) < chunkStart + chunkBlocks) to += 1;
    endsOf(tables.local, view, start, globalEnds[to - 1] ?? 0, workers, tokens, from, to);
    for (let i = from; i < to; i++) {
      const end = Math.min(tokens[i] ?? 0, globalEndOf[workers[i] ?? 0] ?? 0);
      tokens[i] = (end <= start ? chunkStart : blocksBefore(end)) * blockTokens;
    }
  }
  return { workers, tokens };
}

/** How many numbers of an ascending list are below a bound. */
function countBelow(list: readonly number[], bound: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] ?? 0) < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Workers [from, to) hold the blocks before `low`: writes the end of what each holds, at most `high`, to `ends` at its place. Changes
 * their order to that of their ends.
 */
function endsOf(
  table: PrefixHolders,
  view: DataView,
  low: number,
  high: number,
  workers: Uint32Array,
  ends: Float64Array,
  from: number,
  to: number,
): void {
  if (from >= to) return;
  if (low >= high) {
    ends.fill(low, from, to);
    return;
  }
  const middle = (low + high) >> 1;
  const holders = table.partition(slotOf(table, view, middle), workers, from, to);
  endsOf(table, view, low, middle, workers, ends, from, holders);
  endsOf(table, view, middle + 1, high, workers, ends, holders, to);
}

function slotOf(table: PrefixHolders, view: DataView, block: number): number {
  return table.find(view.getUint32(BLOCK_HASH_BYTES * block, true), view.getUint32(BLOCK_HASH_BYTES * block + 4, true));
}
