/**
 * Macros of group_rows.cu: rows of a job, slabs of 64 inputs of a turn, tiles of a warp, groups of warps with outputs of their own (1: both have the same of every
 * second turn), turns that are there at once, and blocks that have a part of
 * the inputs each.
 */
export type GroupShape = Readonly<{
  ROWS: 64 | 128;
  SLABS: 1 | 2;
  TILES: 1 | 2;
  OUT_GROUPS: 1 | 2;
  STAGES: number;
  SPLIT: number;
}>;

/** Up to so many rows a job has 64. */
const SMALL_ROWS = 64;
/** Outputs of a warp group's tile, and multiprocessors that are to have blocks: as many as an H200 has. */
const [TILE_OUTPUTS, BLOCKS_WANTED] = [64, 132];
const THREADS = 384;
/** Bytes of 64 inputs of a row's two terms; of a tile's, for each bit of a number; and up to where slabs may begin. */
const [ROW_BYTES, TILE_BIT_BYTES, SLAB_BYTES] = [256, 128, 1024];
/** Shared memory that a block of Hopper's may have behind what kernels declare, and turns that named barriers are enough for: of one group of warps that has outputs of its own, and of two. */
const [SHARED_BYTES, STAGES_MAX] = [224 * 1024, { 1: 6, 2: 4 }] as const;
/** Multiprocessors that a cluster's blocks are neighbours on, and how many such parts a card has: fewer than there are, as parts differ. */
const [NEIGHBOURS, PARTS] = [16, 8];
const CLUSTER_MAX = 8;

/** What is multiplied: so many rows, by experts that they are spread over (0: by one matrix), of so many outputs and inputs and numbers of so many bits. */
export type GroupWork = Readonly<{
  rowCount: number;
  expertCount: number;
  outSize: number;
  spanCount: number;
  bits: number;
  isGated: boolean;
}>;

/**
 * Macros for a product. Of few rows and outputs, which would give blocks to few multiprocessors, or each of them few outputs and all rows, clusters of blocks divide the inputs of 256 outputs; or,
 * of numbers whose turns take too much room for that, blocks are smaller. Measured on an H200 by bench/gpu/group-shapes.ts.
 */
export function groupShape({ rowCount, expertCount, outSize, spanCount, bits, isGated }: GroupWork): GroupShape {
  const whole = { SLABS: 1, TILES: 2, OUT_GROUPS: 2, STAGES: bits === 4 ? 4 : 3, SPLIT: 1 } as const;
  // Of numbers of 16 bits, as an image's encoder has, where whole blocks would be on less than half of the multiprocessors.
  const blockCount = Math.ceil(rowCount / 128) * Math.ceil(outSize / (4 * TILE_OUTPUTS));
  const isSpread = expertCount === 0 && bits > 8 && rowCount > SMALL_ROWS && blockCount <= BLOCKS_WANTED / 2;
  if (isSpread) return { ROWS: 64, SLABS: 1, TILES: isGated ? 2 : 1, OUT_GROUPS: 2, STAGES: isGated ? 3 : 4, SPLIT: 1 };
  if (expertCount > 0 || rowCount > SMALL_ROWS) return { ROWS: 128, ...whole };
  if (outSize >= 4 * TILE_OUTPUTS * BLOCKS_WANTED || bits > 8) return { ROWS: 64, ...whole };
  if (bits === 4) {
    const wide = { ROWS: 64, SLABS: 2, TILES: 2, OUT_GROUPS: 2 } as const;
    return { ...wide, STAGES: stagesOf(wide, bits), SPLIT: clusterOf(Math.ceil(outSize / 256), spanCount) };
  }
  const TILES = isGated || outSize >= TILE_OUTPUTS * BLOCKS_WANTED ? 2 : 1;
  const small = { ROWS: 64, SLABS: 2, TILES, OUT_GROUPS: 1 } as const;
  return { ...small, STAGES: stagesOf(small, bits), SPLIT: 1 };
}

/** Turns that there is room for. */
export function stagesOf(shape: Omit<GroupShape, "STAGES" | "SPLIT">, bits: number): number {
  return Math.min(STAGES_MAX[shape.OUT_GROUPS], Math.floor(SHARED_BYTES / turnBytes(shape, bits)));
}

/** Blocks of a cluster, where there are so many: the most of which all run at once, each with 128 inputs or more. */
function clusterOf(clusterCount: number, spanCount: number): number {
  let size = Math.min(CLUSTER_MAX, spanCount);
  while (size > 1 && PARTS * Math.floor(NEIGHBOURS / size) < clusterCount) size -= 1;
  return size;
}

/** Threads and shared memory of a block. */
export function groupBytes(shape: GroupShape, bits: number): Readonly<{ threads: number; sharedBytes: number }> {
  return { threads: THREADS, sharedBytes: shape.STAGES * turnBytes(shape, bits) + SLAB_BYTES };
}

function turnBytes({ ROWS, SLABS, TILES, OUT_GROUPS }: Omit<GroupShape, "STAGES" | "SPLIT">, bits: number): number {
  return SLABS * (ROW_BYTES * ROWS + 4 * TILES * OUT_GROUPS * TILE_BIT_BYTES * bits);
}
