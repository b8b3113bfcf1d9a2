import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import { Activations, type Precision } from "./activations.ts";
import { i32, KernelLauncher } from "./kernel-launcher.ts";
import type { KernelLibrary } from "./kernel-library.ts";

const THREADS = 256;

/** The kernels by which rows come from other workers and go to them, each enqueued by one call. What each of them computes says its file. */
export class ExchangeKernels {
  readonly #launcher: KernelLauncher;
  readonly #activations: Activations;

  constructor(device: CudaDevice, library: KernelLibrary, precision: Precision, stream: Stream) {
    this.#launcher = new KernelLauncher(device, library, stream);
    this.#activations = new Activations(precision, device.facts.architecture);
  }

  /** x as activations of z [rows, width] f32, for a product of so many experts. */
  take(
    rowCount: number,
    { z, x, width, expertCount }: Readonly<{ z: DeviceAddress; x: DeviceAddress; width: number; expertCount: number }>,
  ): void {
    const kernel = this.#launcher.kernel("take", "take", this.#activations.macros(rowCount, expertCount));
    const sizes = [i32(width), i32(this.#activations.stride(width))];
    this.#launcher.launch(kernel, [rowCount, 1, 1], THREADS, [z, x, ...sizes]);
  }

  /** Of rows whose expert is not here, what the expert is to read; `away` takes its number, and -1 of other rows. */
  give(
    rowCount: number,
    step: Readonly<{
      /** Rows in f32, [rows, width], and what each is multiplied by. */
      exact: DeviceAddress;
      scales: DeviceAddress;
      /** [rows, stride]: the rows' experts are in a column. */
      chosen: DeviceAddress;
      stride: number;
      column: number;
      /** How many of the rows are routed. */
      live: DeviceAddress;
      /** Of each expert its place here; negative: it is not here. */
      places: DeviceAddress;
      away: DeviceAddress;
      given: DeviceAddress;
      width: number;
    }>,
  ): void {
    const { exact, scales, chosen, live, places, away, given } = step;
    const kernel = this.#launcher.kernel("give", "give", {});
    const sizes = [step.width, step.stride, step.column].map(i32);
    const args = [exact, scales, chosen, live, places, away, given, ...sizes];
    this.#launcher.launch(kernel, [rowCount, 1, 1], THREADS, args);
  }

  /** The answers of rows that are away, at their places among the routed rows. */
  bring(
    rowCount: number,
    step: Readonly<{ away: DeviceAddress; answers: DeviceAddress; routed: DeviceAddress; width: number }>,
  ): void {
    const kernel = this.#launcher.kernel("give", "bring", {});
    const args = [step.away, step.answers, step.routed, i32(step.width)];
    this.#launcher.launch(kernel, [rowCount, 1, 1], THREADS, args);
  }
}
