/** Macros of group_rows.cu: rows of a job, tiles of a warp, groups of warps with outputs of their own (1: both have the same of every second turn), and turns that are there at once. */
export type GroupShape = Readonly<{ ROWS: 64 | 128; TILES: 1 | 2; OUT_GROUPS: 1 | 2; STAGES: number }>;

/** Up to so many rows a job has 64. */
const SMALL_ROWS = 64;
/** Outputs of a warp group's tile, and multiprocessors that are to have blocks: as many as an H200 has. */
const [TILE_OUTPUTS, BLOCKS_WANTED] = [64, 132];
const THREADS = 384;
/** Bytes of 64 inputs of a row's two terms; of a tile's, for each bit of a number; and up to where slabs may begin. */
const [ROW_BYTES, TILE_BIT_BYTES, SLAB_BYTES] = [256, 128, 1024];

/** Macros for a product of so many rows: where there are few rows and outputs, blocks are smaller, so that most multiprocessors have one. */
export function groupShape(
  work: Readonly<{ rowCount: number; expertCount: number; outSize: number; bits: number; isGated: boolean }>,
): GroupShape {
  const { rowCount, expertCount, outSize, bits, isGated } = work;
  const whole = { TILES: 2, OUT_GROUPS: 2, STAGES: bits === 4 ? 4 : 3 } as const;
  if (expertCount > 0 || rowCount > SMALL_ROWS) return { ROWS: 128, ...whole };
  if (outSize >= 4 * TILE_OUTPUTS * BLOCKS_WANTED) return { ROWS: 64, ...whole };
  const isWide = isGated || outSize >= TILE_OUTPUTS * BLOCKS_WANTED;
  return { ROWS: 64, TILES: isWide ? 2 : 1, OUT_GROUPS: 1, STAGES: 6 };
}

/** Threads and shared memory of a block. */
export function groupBytes(
  { ROWS, TILES, OUT_GROUPS, STAGES }: GroupShape,
  bits: number,
): Readonly<{ threads: number; sharedBytes: number }> {
  const turnBytes = ROW_BYTES * ROWS + 4 * TILES * OUT_GROUPS * TILE_BIT_BYTES * bits;
  return { threads: THREADS, sharedBytes: STAGES * turnBytes + SLAB_BYTES };
}
