import type { LinearRows, Quantization } from "@drover/checkpoint";
import { assert, at } from "@drover/core";
import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import type { LinearKernels } from "../kernels/linear-kernels.ts";
import type { DeviceLinear, RowMatrix } from "../kernels/product.ts";
import { UPLOAD_BYTES } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import { PinnedStream } from "./pinned-stream.ts";
import { linesOf, type PreparedRows, preparation, preparedFormat, scalesFor, tilesOf } from "./prepared-rows.ts";
import { StagedRows } from "./staged-rows.ts";
import { matrixBytes, type RowFormat, type WeightFormat } from "./weight-format.ts";

const RECORD_BYTES = 16;
/** Rows that are brought into tiles together come in multiples of this. */
const TILE_ROWS = 16;

/** Where a matrix's numbers and scales are. */
type Placed = Readonly<{ weights: DeviceAddress; scales: DeviceAddress }>;

export type UploadOptions = Readonly<{
  /** Gate's rows and then as many of up. */
  isGated?: boolean;
  /** How they are quantized on the way; null: they are kept as they are stored, where a kernel multiplies that, else as floats. */
  quantization: Quantization | null;
}>;

/**
 * Brings matrices to the card: as they are stored, quantized, or as floats. With kernels of f16, products' matrices are brought into tiles there. Calls return while
 * parts are still being read: what they return may be used after {@link LinearUploader.finish}.
 */
export class LinearUploader {
  readonly #device: CudaDevice;
  readonly #memory: DeviceMemory;
  readonly #kernels: LinearKernels;
  readonly #stream: Stream;
  readonly #pinned: PinnedStream;
  readonly #staged: StagedRows;
  /** The end of the last call. */
  #turn: Promise<void> = Promise.resolve();
  /** What the call under way has allocated. */
  #allocated: DeviceAddress[] = [];

  constructor(device: CudaDevice, memory: DeviceMemory, kernels: LinearKernels, stream: Stream) {
    this.#device = device;
    this.#memory = memory;
    this.#kernels = kernels;
    this.#stream = stream;
    this.#pinned = new PinnedStream(device, stream);
    this.#staged = new StagedRows(memory, kernels.sources, this.#pinned);
  }

  /**
   * All of one shape; one call after the other. Errors, also those of earlier calls: the checkpoint's; `overloaded` where the card is full. Nothing stays on the card of a call that
   * throws.
   */
  upload(matrices: readonly LinearRows[], options: UploadOptions): Promise<DeviceLinear> {
    return this.#inTurn(() => this.#upload(matrices, options));
  }

  async #upload(
    matrices: readonly LinearRows[],
    { isGated = false, quantization }: UploadOptions,
  ): Promise<DeviceLinear> {
    const { outSize, inSize } = at(matrices, 0);
    const prepared = preparedFormat(matrices, quantization);
    const format = this.#onCard(prepared);
    const records = new BigUint64Array(2 * matrices.length);
    for (const [i, rows] of matrices.entries()) {
      assert(rows.outSize === outSize && rows.inSize === inSize, "matrices of one table have one shape");
      const how = preparation(linesOf(rows), prepared, quantization);
      const placed = await this.#place(rows, how, format, isGated);
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
  formatOf(rows: LinearRows, quantization: Quantization | null): WeightFormat {
    return this.#onCard(preparedFormat([rows], quantization));
  }

  /** Frees what {@link upload} has made. */
  release({ table, records }: DeviceLinear): void {
    // A matrix without scales has no address of them.
    for (const address of [table, ...records]) if (address !== 0n) this.#memory.free(address);
  }

  /** One matrix row by row, as bf16 or f32. Errors: as of {@link upload}. */
  matrix(rows: LinearRows): Promise<RowMatrix> {
    const kind = preparedFormat([rows], null).kind === "bf16" ? "bf16" : "f32";
    const format: RowFormat = { kind };
    return this.#inTurn(async () => {
      const { weights } = await this.#place(rows, preparation(linesOf(rows), format, null), format, false);
      return { kind, address: weights };
    });
  }

  /** A list of numbers, such as a norm's weight. */
  vector(values: Float32Array | Int32Array): DeviceAddress {
    const address = this.#memory.allocate("weights", values.byteLength);
    this.#device.write(address, bytesOf(values));
    return address;
  }

  /** Waits until everything is where it is to be. Errors: as of {@link upload}. */
  async finish(): Promise<void> {
    await this.#pinned.drain();
  }

  /** Lets go of what rows came through. */
  close(): void {
    this.#pinned.close();
    this.#staged.close();
  }

  #onCard(prepared: RowFormat): WeightFormat {
    return this.#kernels.activations.precision === "f32" ? prepared : tilesOf(prepared);
  }

  /** Rows of two matrices would meet in the room that they come through. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const allocated: DeviceAddress[] = [];
    const done = this.#turn.then(async () => {
      this.#allocated = allocated;
      try {
        return await work();
      } catch (error) {
        await this.#pinned.settle();
        for (const address of allocated) this.#memory.free(address);
        throw error;
      }
    });
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  #allocate(byteCount: number): DeviceAddress {
    const address = this.#memory.allocate("weights", byteCount);
    this.#allocated.push(address);
    return address;
  }

  #table(format: WeightFormat, outSize: number, inSize: number, records: BigUint64Array): DeviceLinear {
    const count = records.length / 2;
    const table = this.#memory.allocate("weights", RECORD_BYTES * count);
    this.#device.write(table, bytesOf(records));
    return { format, outSize, inSize, count, table, records };
  }

  async #place(rows: LinearRows, how: PreparedRows, format: WeightFormat, isGated: boolean): Promise<Placed> {
    const { outSize, inSize } = rows;
    const { weightBytes, scaleCount } = matrixBytes(format, outSize, inSize);
    const weights = this.#allocate(weightBytes);
    const scales = scaleCount === 0 ? 0n : this.#allocate(4 * scaleCount);
    const lines = linesOf(rows);
    const stored = await scalesFor(lines, how, rows);
    const rowsMax = lines.isTransposed ? outSize : partRows(lines.lineBytes);
    for (let first = 0; first < outSize; first += rowsMax) {
      const part = { first, rowCount: Math.min(rowsMax, outSize - first), outSize, inSize };
      const { source, sourceScales } = await this.#staged.prepare(lines, how, stored, part);
      this.#pinned.run(() => {
        if (format.kind === "tiles") {
          const of = { source, stored: sourceScales, first, rows: part.rowCount, kind: how.format.kind };
          this.#kernels.pack({ ...of, format, tiles: weights, scales, outSize, inSize, isGated });
          return;
        }
        const own = matrixBytes(how.format, part.rowCount, inSize);
        const each = { weights: own.weightBytes / part.rowCount, scales: (4 * own.scaleCount) / part.rowCount };
        this.#device.copy(weights + BigInt(first * each.weights), source, own.weightBytes, this.#stream);
        if (scaleCount > 0)
          this.#device.copy(scales + BigInt(first * each.scales), sourceScales, 4 * own.scaleCount, this.#stream);
      });
    }
    return { weights, scales };
  }
}

/** Rows that come at once: whole tiles. */
function partRows(lineBytes: number): number {
  return Math.max(1, Math.floor(UPLOAD_BYTES / lineBytes / TILE_ROWS)) * TILE_ROWS;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
