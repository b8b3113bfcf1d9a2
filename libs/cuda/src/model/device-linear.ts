import type { LinearRows } from "@drover/checkpoint";
import { assert, at } from "@drover/core";
import type { CudaDevice, DeviceAddress } from "../driver/cuda-device.ts";
import { UPLOAD_BYTES } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import { matrixBytes, type WeightFormat } from "./weight-format.ts";

/** Matrices [out, in] of one format and shape on the card, such as those of a layer's experts. */
export type DeviceLinear = Readonly<{
  format: WeightFormat;
  outSize: number;
  inSize: number;
  /** Of each matrix where its numbers and its scales are: records of two addresses. */
  table: DeviceAddress;
}>;

const RECORD_BYTES = 16;

/** Brings matrices to the card as they are stored; f16, and what is stored in several ways, as f32. */
export class LinearUploader {
  readonly #device: CudaDevice;
  readonly #memory: DeviceMemory;

  constructor(device: CudaDevice, memory: DeviceMemory) {
    this.#device = device;
    this.#memory = memory;
  }

  /** All of one shape and format. Errors: the checkpoint's; `overloaded` where the card is full. */
  async upload(matrices: readonly LinearRows[]): Promise<DeviceLinear> {
    const { outSize, inSize } = at(matrices, 0);
    const format = formatOf(matrices);
    const records = new BigUint64Array(2 * matrices.length);
    for (const [i, rows] of matrices.entries()) {
      assert(rows.outSize === outSize && rows.inSize === inSize, "matrices of one table have one shape");
      const { weights, scales } = await this.#matrix(rows, format);
      records.set([weights, scales], 2 * i);
    }
    const table = this.#memory.allocate("weights", RECORD_BYTES * matrices.length);
    this.#device.write(table, new Uint8Array(records.buffer));
    return { format, outSize, inSize, table };
  }

  /** One matrix by itself. Errors: as of {@link upload}. */
  async matrix(rows: LinearRows): Promise<Readonly<{ kind: WeightFormat["kind"]; address: DeviceAddress }>> {
    const format = formatOf([rows]);
    return { kind: format.kind, address: (await this.#matrix(rows, format)).weights };
  }

  /** A list of numbers, such as a norm's weight. */
  vector(values: Float32Array | Int32Array): DeviceAddress {
    const address = this.#memory.allocate("weights", values.byteLength);
    this.#device.write(address, bytesOf(values));
    return address;
  }

  async #matrix(rows: LinearRows, format: WeightFormat): Promise<{ weights: DeviceAddress; scales: DeviceAddress }> {
    const { weightBytes, scaleCount } = matrixBytes(format, rows.outSize, rows.inSize);
    const weights = this.#memory.allocate("weights", weightBytes);
    const rowBytes = weightBytes / rows.outSize;
    const rowsMax = Math.max(1, Math.floor(UPLOAD_BYTES / rowBytes));
    for (let first = 0; first < rows.outSize; first += rowsMax) {
      const count = Math.min(rowsMax, rows.outSize - first);
      const bytes = format.kind === "f32" ? bytesOf(await rows.read(first, count)) : await stored(rows, first, count);
      assert(bytes.byteLength === count * rowBytes, "a matrix has its shape's bytes");
      this.#device.write(weights + BigInt(first * rowBytes), bytes);
    }
    if (scaleCount === 0) return { weights, scales: 0n };
    const { scales } = rows.stored ?? {};
    assert(scales?.length === scaleCount, "a matrix has the scales of its format");
    return { weights, scales: this.vector(scales) };
  }
}

function stored(rows: LinearRows, first: number, count: number): Promise<Uint8Array> {
  assert(rows.stored !== undefined, "the format is the stored one");
  return rows.stored.read(first, count);
}

/** What all are stored as, if the card's kernels read it. */
function formatOf(matrices: readonly LinearRows[]): WeightFormat {
  const [first, ...others] = matrices.map(({ stored }) => stored?.dtype);
  if (others.some((dtype) => dtype !== first)) return { kind: "f32" };
  if (first === "BF16") return { kind: "bf16" };
  return first === "F8_E4M3" ? { kind: "e4m3" } : { kind: "f32" };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
