import type { NumberForm } from "@drover/checkpoint";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import { i32, type KernelLauncher } from "./kernel-launcher.ts";

/** Macro SOURCE of source.cuh. */
const SOURCES: Readonly<Record<NumberForm, number>> = {
  F32: 0,
  BF16: 1,
  F8_E4M3: 2,
  F16: 3,
  U4: 4,
  E2M1: 5,
  I8: 7,
  U8: 8,
};
const THREADS = 128;
/** Elements of a side of what a block of `turn` turns, and its threads. */
const [TURNED, TURN_THREADS] = [32, 256];
/** Blocks of `centre`: its threads go on to further bytes. */
const CENTRE_BLOCKS = 4096;

/** Rows of numbers on the card as they are stored, each with a scale for every `groupSize` inputs, or (0) without any. */
export type SourceRows = Readonly<{
  form: NumberForm;
  source: DeviceAddress;
  /** [rows, ceil(in / groupSize)]. */
  scales: DeviceAddress;
  groupSize: number;
  rowCount: number;
  inSize: number;
  lineBytes: number;
}>;

/** What brings stored numbers into a form that is computed with. */
export class SourceKernels {
  readonly #launcher: KernelLauncher;

  constructor(launcher: KernelLauncher) {
    this.#launcher = launcher;
  }

  /** out [columns, rows] = source [rows, columns], elements of 1, 2 or 4 bytes. */
  turn(source: DeviceAddress, out: DeviceAddress, rows: number, columns: number, elementBytes: number): void {
    const kernel = this.#launcher.kernel("turn", "turn", { WIDTH: elementBytes });
    const grid = [Math.ceil(columns / TURNED), Math.ceil(rows / TURNED), 1] as const;
    this.#launcher.launch(kernel, grid, TURN_THREADS, [source, out, i32(rows), i32(columns)]);
  }

  /** out [rows, in] f32. */
  floats(rows: SourceRows, out: DeviceAddress): void {
    const { form, source, scales, groupSize, rowCount, inSize, lineBytes } = rows;
    const kernel = this.#launcher.kernel("floats", "floats", { SOURCE: SOURCES[form] });
    const sizes = [inSize, lineBytes, groupSize].map(i32);
    this.#launcher.launch(kernel, [rowCount, 1, 1], THREADS, [source, scales, out, ...sizes]);
  }

  /** Integers in blocks and their scales, to the bit those of `quantizeLinear`. */
  quantize(
    rows: SourceRows,
    { bits, blockSize }: Readonly<{ bits: 4 | 8; blockSize: number }>,
    out: Readonly<{ packed: DeviceAddress; scales: DeviceAddress }>,
  ): void {
    const { form, source, scales, groupSize, rowCount, inSize, lineBytes } = rows;
    const macros = { SOURCE: SOURCES[form], BITS: bits, BLOCK: blockSize };
    const kernel = this.#launcher.kernel("quantize", "quantize", macros);
    const blockCount = rowCount * Math.ceil(inSize / blockSize);
    const sizes = [rowCount, inSize, lineBytes, groupSize].map(i32);
    const args = [source, scales, out.packed, out.scales, ...sizes];
    this.#launcher.launch(kernel, [Math.ceil(blockCount / THREADS), 1, 1], THREADS, args);
  }

  /** Signed bytes to integers around the middle of their range, in place. */
  centre(bytes: DeviceAddress, byteCount: number): void {
    const kernel = this.#launcher.kernel("centre", "centre", {});
    const blocks = Math.min(CENTRE_BLOCKS, Math.ceil(byteCount / THREADS));
    this.#launcher.launch(kernel, [blocks, 1, 1], THREADS, [bytes, BigInt(byteCount)]);
  }
}
