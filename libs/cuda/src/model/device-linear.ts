import type { LinearRows } from "@drover/checkpoint";
import { assert, at } from "@drover/core";
import type { CudaDevice, DeviceAddress } from "../driver/cuda-device.ts";
import type { LinearKernels } from "../kernels/linear-kernels.ts";
import type { DeviceLinear, RowMatrix } from "../kernels/product.ts";
import { UPLOAD_BYTES } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import { matrixBytes, type RowFormat, type TileFormat, type WeightFormat } from "./weight-format.ts";

const RECORD_BYTES = 16;
/** Rows that are brought into tiles together come in multiples of this. */
const TILE_ROWS = 16;

/** Where a matrix's numbers and scales are. */
type Placed = Readonly<{ weights: DeviceAddress; scales: DeviceAddress }>;

/** Brings matrices to the card as they are stored; f16, and what is stored in several ways, as f32. With kernels of f16, products' matrices are brought into tiles there. */
export class LinearUploader {
  readonly #device: CudaDevice;
  readonly #memory: DeviceMemory;
  readonly #kernels: Pick<LinearKernels, "activations" | "pack">;
  readonly #wait: () => void;
  /** Rows on their way into tiles. */
  #staging: Readonly<{ address: DeviceAddress; byteCount: number }> | undefined;

  /** `wait`: until what the kernels were given to do is done. */
  constructor(
    device: CudaDevice,
    memory: DeviceMemory,
    kernels: Pick<LinearKernels, "activations" | "pack">,
    wait: () => void,
  ) {
    this.#device = device;
    this.#memory = memory;
    this.#kernels = kernels;
    this.#wait = wait;
  }

  /** All of one shape and format; `isGated`: gate's rows and then as many of up. Errors: the checkpoint's; `overloaded` where the card is full. */
  async upload(matrices: readonly LinearRows[], isGated = false): Promise<DeviceLinear> {
    const { outSize, inSize } = at(matrices, 0);
    const stored = formatOf(matrices);
    const format = this.#formatOf(stored);
    const records = new BigUint64Array(2 * matrices.length);
    for (const [i, rows] of matrices.entries()) {
      assert(rows.outSize === outSize && rows.inSize === inSize, "matrices of one table have one shape");
      const placed =
        format.kind === "tiles" ? await this.#tiles(rows, stored, format, isGated) : await this.#rows(rows, stored);
      records.set([placed.weights, placed.scales], 2 * i);
    }
    return this.#table(format, outSize, inSize, records);
  }

  /** A table of the matrices of both; undefined where they differ in shape or format. */
  joined(one: DeviceLinear, other: DeviceLinear): DeviceLinear | undefined {
    const isAlike = one.outSize === other.outSize && one.inSize === other.inSize;
    if (!isAlike || JSON.stringify(one.format) !== JSON.stringify(other.format)) return undefined;
    return this.#table(one.format, one.outSize, one.inSize, BigUint64Array.of(...one.records, ...other.records));
  }

  /** What a matrix becomes when it is uploaded alone. */
  formatOf(rows: LinearRows): WeightFormat {
    return this.#formatOf(formatOf([rows]));
  }

  /** Frees what {@link upload} has made. */
  release({ table, records }: DeviceLinear): void {
    // A matrix without scales has no address of them.
    for (const address of [table, ...records]) if (address !== 0n) this.#memory.free(address);
  }

  /** One matrix row by row, as bf16 or f32. Errors: as of {@link upload}. */
  async matrix(rows: LinearRows): Promise<RowMatrix> {
    const kind = formatOf([rows]).kind === "bf16" ? "bf16" : "f32";
    return { kind, address: (await this.#rows(rows, { kind })).weights };
  }

  /** A list of numbers, such as a norm's weight. */
  vector(values: Float32Array | Int32Array): DeviceAddress {
    const address = this.#memory.allocate("weights", values.byteLength);
    this.#device.write(address, bytesOf(values));
    return address;
  }

  /** Lets go of what rows came through. */
  close(): void {
    if (this.#staging !== undefined) this.#memory.free(this.#staging.address);
    this.#staging = undefined;
  }

  #formatOf(stored: RowFormat): WeightFormat {
    return this.#kernels.activations.precision === "f32" ? stored : tilesOf(stored);
  }

  #table(format: WeightFormat, outSize: number, inSize: number, records: BigUint64Array): DeviceLinear {
    const count = records.length / 2;
    const table = this.#memory.allocate("weights", RECORD_BYTES * count);
    this.#device.write(table, bytesOf(records));
    return { format, outSize, inSize, count, table, records };
  }

  async #rows(rows: LinearRows, format: RowFormat): Promise<Placed> {
    const { weightBytes, scaleCount } = matrixBytes(format, rows.outSize, rows.inSize);
    const weights = this.#memory.allocate("weights", weightBytes);
    const rowBytes = weightBytes / rows.outSize;
    await eachPart(rows, format, rowBytes, 1, async (first, bytes) =>
      this.#device.write(weights + BigInt(first * rowBytes), bytes),
    );
    if (scaleCount === 0) return { weights, scales: 0n };
    return { weights, scales: this.vector(scalesOf(rows, scaleCount)) };
  }

  async #tiles(rows: LinearRows, stored: RowFormat, format: TileFormat, isGated: boolean): Promise<Placed> {
    const { outSize, inSize } = rows;
    const { weightBytes, scaleCount } = matrixBytes(format, outSize, inSize);
    const tiles = this.#memory.allocate("weights", weightBytes);
    const scales = this.#memory.allocate("weights", 4 * scaleCount);
    const plain = matrixBytes(stored, outSize, inSize);
    const rowBytes = plain.weightBytes / outSize;
    const own = plain.scaleCount === 0 ? undefined : this.vector(scalesOf(rows, plain.scaleCount));
    const source = this.#stage(Math.min(plain.weightBytes, partRows(rowBytes, TILE_ROWS) * rowBytes));
    await eachPart(rows, stored, rowBytes, TILE_ROWS, async (first, bytes) => {
      this.#device.write(source, bytes);
      const part = { source, stored: own ?? 0n, first, rows: bytes.byteLength / rowBytes };
      this.#kernels.pack({ ...part, kind: stored.kind, format, tiles, scales, outSize, inSize, isGated });
      this.#wait();
    });
    if (own !== undefined) this.#memory.free(own);
    return { weights: tiles, scales };
  }

  #stage(byteCount: number): DeviceAddress {
    if (this.#staging === undefined || this.#staging.byteCount < byteCount) {
      this.close();
      this.#staging = { address: this.#memory.allocate("weights", byteCount), byteCount };
    }
    return this.#staging.address;
  }
}

/** Rows that come at once: a multiple of `unit`. */
function partRows(rowBytes: number, unit: number): number {
  return Math.max(1, Math.floor(UPLOAD_BYTES / rowBytes / unit)) * unit;
}

async function eachPart(
  rows: LinearRows,
  format: RowFormat,
  rowBytes: number,
  unit: number,
  use: (first: number, bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const rowsMax = partRows(rowBytes, unit);
  for (let first = 0; first < rows.outSize; first += rowsMax) {
    const count = Math.min(rowsMax, rows.outSize - first);
    const bytes = format.kind === "f32" ? bytesOf(await rows.read(first, count)) : await stored(rows, first, count);
    assert(bytes.byteLength === count * rowBytes, "a matrix has its shape's bytes");
    await use(first, bytes);
  }
}

function stored(rows: LinearRows, first: number, count: number): Promise<Uint8Array> {
  assert(rows.stored !== undefined, "the format is the stored one");
  return rows.stored.read(first, count);
}

function scalesOf({ stored }: LinearRows, count: number): Float32Array {
  assert(stored?.scales?.length === count, "a matrix has the scales of its format");
  return stored.scales;
}

/** What all are stored as, if the card's kernels read it. */
function formatOf(matrices: readonly LinearRows[]): RowFormat {
  const [first, ...others] = matrices.map(({ stored }) => stored?.dtype);
  if (others.some((dtype) => dtype !== first)) return { kind: "f32" };
  if (first === "BF16") return { kind: "bf16" };
  return first === "F8_E4M3" ? { kind: "e4m3" } : { kind: "f32" };
}

/** What rows of a format become in tiles. */
function tilesOf(format: RowFormat): TileFormat {
  if (format.kind === "e4m3") return { kind: "tiles", numbers: "e4m3" };
  if (format.kind === "blocks") return { kind: "tiles", numbers: { bits: format.bits, blockSize: format.blockSize } };
  return { kind: "tiles", numbers: "f16" };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
