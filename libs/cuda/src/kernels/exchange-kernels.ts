import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import { Activations, type Precision } from "./activations.ts";
import { i32, KernelLauncher } from "./kernel-launcher.ts";
import type { KernelLibrary } from "./kernel-library.ts";

/** The kernels by which rows come from other workers and go to them, each enqueued by one call. What each of them computes says its file. */
export class ExchangeKernels {
  readonly #launcher: KernelLauncher;
  readonly #activations: Activations;

  constructor(device: CudaDevice, library: KernelLibrary, precision: Precision, stream: Stream) {
    this.#launcher = new KernelLauncher(device, library, stream);
    this.#activations = new Activations(precision);
  }

  /** x as activations of z [rows, width] f32. */
  take(rowCount: number, { z, x, width }: Readonly<{ z: DeviceAddress; x: DeviceAddress; width: number }>): void {
    const kernel = this.#launcher.kernel("take", "take", { TERMS: this.#activations.terms });
    const sizes = [i32(width), i32(this.#activations.stride(width))];
    this.#launcher.launch(kernel, [rowCount, 1, 1], 256, [z, x, ...sizes]);
  }
}
