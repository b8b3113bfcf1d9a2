/**
 * Macros of group_rows.cu: rows of a job, slabs of 64 inputs of a turn, tiles of a warp, groups of warps with outputs of their own (1: both have the same of every
 * second turn), and turns that are there at once.
 */
export type GroupShape = Readonly<{ ROWS: 64 | 128; SLABS: 1 | 2; TILES: 1 | 2; OUT_GROUPS: 1 | 2; STAGES: number }>;

/** Up to so many rows a job has 64. */
const SMALL_ROWS = 64;
/** Outputs of a warp group's tile, and multiprocessors that are to have blocks: as many as an H200 has. */
const [TILE_OUTPUTS, BLOCKS_WANTED] = [64, 132];
const THREADS = 384;
/** Bytes of 64 inputs of a row's two terms; of a tile's, for each bit of a number; and up to where slabs may begin. */
const [ROW_BYTES, TILE_BIT_BYTES, SLAB_BYTES] = [256, 128, 1024];
/** Shared memory that a block of Hopper's may have behind what kernels declare, and turns that named barriers are enough for. */
const [SHARED_BYTES, STAGES_MAX] = [224 * 1024, 6];

/** Macros for a product of so many rows: where there are few rows and outputs, blocks are smaller, so that most multiprocessors have one. */
export function groupShape(
  work: Readonly<{ rowCount: number; expertCount: number; outSize: number; bits: number; isGated: boolean }>,
): GroupShape {
  const { rowCount, expertCount, outSize, bits, isGated } = work;
  const whole = { SLABS: 1, TILES: 2, OUT_GROUPS: 2, STAGES: bits === 4 ? 4 : 3 } as const;
  if (expertCount > 0 || rowCount > SMALL_ROWS) return { ROWS: 128, ...whole };
  if (outSize >= 4 * TILE_OUTPUTS * BLOCKS_WANTED || bits > 8) return { ROWS: 64, ...whole };
  const TILES = isGated || outSize >= TILE_OUTPUTS * BLOCKS_WANTED ? 2 : 1;
  const small = { ROWS: 64, SLABS: 2, TILES, OUT_GROUPS: 1 } as const;
  const room = Math.floor(SHARED_BYTES / turnBytes(small, bits));
  return { ...small, STAGES: Math.min(STAGES_MAX, room) };
}

/** Threads and shared memory of a block. */
export function groupBytes(shape: GroupShape, bits: number): Readonly<{ threads: number; sharedBytes: number }> {
  return { threads: THREADS, sharedBytes: shape.STAGES * turnBytes(shape, bits) + SLAB_BYTES };
}

function turnBytes({ ROWS, SLABS, TILES, OUT_GROUPS }: Omit<GroupShape, "STAGES">, bits: number): number {
  return SLABS * (ROW_BYTES * ROWS + 4 * TILES * OUT_GROUPS * TILE_BIT_BYTES * bits);
}
