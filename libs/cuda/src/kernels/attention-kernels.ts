import { assert } from "@drover/core";
import type { DeviceAddress, DeviceFacts } from "../driver/cuda-device.ts";
import { ATTENTION_PARTS_MAX } from "../limits.ts";
import { type Activations, HOPPER, type Precision } from "./activations.ts";
import { i32, type KernelLauncher, NULL } from "./kernel-launcher.ts";
import type { KernelMacros } from "./kernel-library.ts";
import { type KernelSizes, kvType, type LayerPages, type RowPlaces } from "./kernel-sizes.ts";

/** Rows of a step that lie behind each other, and whether tiles have them. */
export type RowSpan = Readonly<{ first: number; count: number; isTiled: boolean }>;

/** Rows of a step that attend in tiles, the tiles' list on the card, and the most positions that a row sees. */
export type Tiling = Readonly<{ spans: readonly RowSpan[]; list: DeviceAddress; tileCount: number; positions: number }>;

/** What rows attend to, and where their sums come. */
export type Attention = Readonly<{
  q: DeviceAddress;
  at: LayerPages;
  places: RowPlaces;
  positions: DeviceAddress;
  /** The most positions that a row sees. */
  seen: number;
  /** Undefined: every row reads its keys and values by itself. */
  tiling: Tiling | undefined;
  /** [ATTENTION_PARTS_MAX, H, d] f32, and as many pairs. */
  sums: DeviceAddress;
  marks: DeviceAddress;
  /** Activations, [rows, H*d]. */
  y: DeviceAddress;
  /** Logarithms of the sums of weights, [rows, H] f32, where they are wanted. */
  lse?: DeviceAddress;
}>;

/** Parts that a row's positions are cut into at most. */
export const PARTS_MAX = 64;
/** Positions that those of a part are a multiple of. */
const PART_UNIT = 64;

/** Up to so many rows a part has at least so many positions: of few rows all multiprocessors get some, of more a block does more for what it begins and ends with. Measured on an H200. */
const PART_SIZES = [
  { rowsMax: 2, positions: PART_UNIT },
  { rowsMax: 4, positions: 2 * PART_UNIT },
  { rowsMax: 32, positions: 3 * PART_UNIT },
] as const;
const PART_SIZE_LAST = 4 * PART_UNIT;

/** Positions that a part of so many rows' has at least. In f32 it is always the same, so that a row's result has the same bits beside any others. */
export function partRowsMin(rowCount: number, precision: Precision): number {
  if (precision === "f32") return PART_UNIT;
  return PART_SIZES.find(({ rowsMax }) => rowCount <= rowsMax)?.positions ?? PART_SIZE_LAST;
}

/** The most parts that rows which see so many positions or fewer have, of so many at least: what `partRows` of attention.cu makes of any such number. */
export function partCount(seen: number, partRows: number): number {
  return Math.min(PARTS_MAX, Math.ceil(seen / partRows));
}

/** Queries of a tile of prompt_attention.cu, its threads, the largest head, and the positions that are at least worth a block of their own. */
const [TILE_QUERIES, TILE_THREADS, TILE_HEAD_MAX, TILE_POSITIONS_MIN] = [128, 512, 128, 512];
/** Numbers of a slab's row, positions of a turn, turns that are there at once; and bytes up to where slabs may begin. */
const [SLAB_WIDTH, TURN_KEYS, STAGES, SLAB_BYTES] = [64, 64, 2, 1024];

/** Attention over pages: rows by themselves (attention.cu), or in tiles (prompt_attention.cu). */
export class AttentionKernels {
  readonly #launcher: KernelLauncher;
  readonly #activations: Activations;
  readonly #sizes: KernelSizes;
  readonly #multiprocessorCount: number;
  /** Rows of a tile; 0 where the card, the precision or the model has none. */
  readonly tileRows: number;

  constructor(
    launcher: KernelLauncher,
    activations: Activations,
    sizes: KernelSizes,
    { architecture, multiprocessorCount }: Pick<DeviceFacts, "architecture" | "multiprocessorCount">,
  ) {
    this.#launcher = launcher;
    this.#activations = activations;
    this.#sizes = sizes;
    this.#multiprocessorCount = multiprocessorCount;
    const group = sizes.headCount / sizes.kvHeadCount;
    const fits = sizes.headDim <= TILE_HEAD_MAX && group <= TILE_QUERIES;
    // In f32 a row's result has the same bits alone and among others, which tiles do not promise.
    const isTiled = architecture === HOPPER && activations.precision === "f16" && fits;
    this.tileRows = isTiled ? Math.floor(TILE_QUERIES / group) : 0;
  }

  /** Enqueues the rows' attention to what they see. */
  attend(rowCount: number, step: Attention): void {
    const { tiling } = step;
    if (tiling === undefined || tiling.tileCount === 0) {
      this.#rows(rowCount, { first: 0, count: rowCount }, step);
      return;
    }
    this.#tiles(rowCount, step, tiling);
    for (const span of tiling.spans) if (!span.isTiled) this.#rows(rowCount, span, step);
  }

  /** Enqueues that attention over what other workers keep is taken into `y`: given [rows, H*d] and givenLse [rows, H] f32, of pinned memory too; `NONE` of prelude.cuh where there is nothing. */
  fold(
    rowCount: number,
    { given, givenLse, lse, y }: Readonly<Record<"given" | "givenLse" | "lse" | "y", DeviceAddress>>,
  ): void {
    const { headCount, headDim } = this.#sizes;
    const macros = { HEAD: headDim, ...this.#activations.macros(rowCount) };
    const kernel = this.#launcher.kernel("fold", "fold", macros);
    const stride = i32(this.#activations.stride(headCount * headDim));
    this.#launcher.launch(kernel, [headCount, rowCount, 1], headDim, [given, givenLse, lse, y, stride]);
  }

  #macros(rowCount: number): KernelMacros {
    const { headCount, kvHeadCount, headDim, pageRows } = this.#sizes;
    return {
      HEAD: headDim,
      GROUP: headCount / kvHeadCount,
      KV_HEADS: kvHeadCount,
      PAGE_ROWS: pageRows,
      KV: kvType(this.#sizes),
      ...this.#activations.macros(rowCount),
    };
  }

  /** Each row by itself, as many at once as have room for their parts' sums. */
  #rows(stepRows: number, span: Readonly<{ first: number; count: number }>, step: Attention): void {
    const { headCount, kvHeadCount, headDim } = this.#sizes;
    const attend = this.#launcher.kernel("attention", "attend", this.#macros(stepRows));
    const { at, sums, marks } = step;
    const least = partRowsMin(stepRows, this.#activations.precision);
    const parts = partCount(step.seen, least);
    const rowsMax = Math.max(1, Math.floor(ATTENTION_PARTS_MAX / parts));
    const scale = { f32: 1 / Math.sqrt(headDim) };
    const end = span.first + span.count;
    for (let first = span.first; first < end; first += rowsMax) {
      const rows = Math.min(rowsMax, end - first);
      const from = (list: DeviceAddress) => list + BigInt(4 * first);
      const lists = [from(step.places.starts), from(step.places.firsts), from(step.positions)];
      const q = step.q + BigInt(4 * first * headCount * headDim);
      const args = [q, at.pages, at.table, ...lists, sums, marks, i32(at.layer), i32(least), scale];
      this.#launcher.launch(attend, [parts, kvHeadCount, rows], 128, args);
      this.#merge(stepRows, { first, count: rows }, step, { sums, marks, parts, given: 0, least });
    }
  }

  /** Tiles, and where each has several parts what brings them together: the fewer tiles there are, the more parts, so that all multiprocessors have blocks. */
  #tiles(rowCount: number, step: Attention, { spans, list, tileCount, positions }: Tiling): void {
    const { headCount, kvHeadCount, headDim } = this.#sizes;
    assert(this.tileRows > 0, "there are tiles on cards that have them");
    const wanted = Math.ceil((2 * this.#multiprocessorCount) / (tileCount * kvHeadCount));
    const most = Math.max(1, Math.min(wanted, Math.floor(ATTENTION_PARTS_MAX / rowCount)));
    const partRows = Math.max(TILE_POSITIONS_MIN, Math.ceil(positions / most / PART_UNIT) * PART_UNIT);
    const parts = Math.ceil(positions / partRows);
    const kernel = this.#launcher.kernel("prompt_attention", "attendTiles", this.#macros(rowCount));
    const { q, at, places, y, sums, marks } = step;
    const lists = [at.table, places.starts, places.firsts, step.positions, list];
    const stride = i32(this.#activations.stride(headCount * headDim));
    const args = [q, at.pages, ...lists, y, step.lse ?? NULL, sums, marks, i32(at.layer), i32(partRows), stride];
    const factor = { f32: 1 / Math.sqrt(headDim) };
    const slabs = Math.ceil(headDim / SLAB_WIDTH);
    const rowsHeld = TILE_QUERIES + 2 * STAGES * TURN_KEYS;
    const sharedBytes = 2 * slabs * rowsHeld * 2 * SLAB_WIDTH + SLAB_BYTES;
    this.#launcher.launch(kernel, [tileCount, kvHeadCount, parts], TILE_THREADS, [...args, factor], sharedBytes);
    if (parts === 1) return;
    const pairs = headCount * parts;
    for (const { first, count, isTiled } of spans) {
      const own = { sums: sums + BigInt(4 * first * pairs * headDim), marks: marks + BigInt(8 * first * pairs) };
      if (isTiled) this.#merge(rowCount, { first, count }, step, { ...own, parts, given: partRows, least: 0 });
    }
  }

  #merge(
    stepRows: number,
    { first, count }: Readonly<{ first: number; count: number }>,
    step: Attention,
    of: Readonly<{ sums: DeviceAddress; marks: DeviceAddress; parts: number; given: number; least: number }>,
  ): void {
    const { headCount, headDim } = this.#sizes;
    const width = headCount * headDim;
    const merge = this.#launcher.kernel("attention", "merge", this.#macros(stepRows));
    const from = (list: DeviceAddress) => list + BigInt(4 * first);
    const y = step.y + BigInt(first * this.#activations.rowBytes(width));
    const lse = step.lse === undefined ? NULL : step.lse + BigInt(4 * first * headCount);
    this.#launcher.launch(merge, [headCount, count, 1], headDim, [
      ...[of.sums, of.marks, from(step.places.firsts), from(step.positions), y, lse],
      ...[i32(of.parts), i32(of.given), i32(of.least), i32(this.#activations.stride(width))],
    ]);
  }
}
