import type { CudaDevice, DeviceAddress, Extent3, Kernel, KernelArgument, Stream } from "../driver/cuda-device.ts";
import type { KernelFile, KernelLibrary, KernelMacros } from "./kernel-library.ts";

/** No address: what a kernel is not to read or write. */
export const NULL: DeviceAddress = 0n;

export function i32(value: number): KernelArgument {
  return { i32: value };
}

/** Finds kernels and enqueues them on one stream of one card. */
export class KernelLauncher {
  readonly #device: CudaDevice;
  readonly #library: KernelLibrary;
  readonly #stream: Stream;
  readonly #known = new Map<string, Kernel>();

  constructor(device: CudaDevice, library: KernelLibrary, stream: Stream) {
    this.#device = device;
    this.#library = library;
    this.#stream = stream;
  }

  /** Of the card. */
  get architecture(): number {
    return this.#device.facts.architecture;
  }

  /** Compiled when it is first asked for. Errors: the compiler's. */
  kernel(file: KernelFile, name: string, macros: KernelMacros): Kernel {
    const key = JSON.stringify([name, macros]);
    const known = this.#known.get(key) ?? this.#library.kernel(file, name, macros);
    this.#known.set(key, known);
    return known;
  }

  /** `sharedBytes`: a block's memory beside what its kernel declares. */
  launch(kernel: Kernel, grid: Extent3, threads: number, args: readonly KernelArgument[], sharedBytes = 0): void {
    this.#device.launch(kernel, grid, [threads, 1, 1], args, this.#stream, sharedBytes);
  }
}
