import type { CudaDevice, Event, Kernel, Stream } from "../../libs/cuda/src/driver/cuda-device.ts";

/** Times each kernel between two events, where launches are enqueued faster than they run. */
export class KernelProfile {
  readonly #device: CudaDevice;
  readonly #names = new Map<Kernel, string>();
  #launched: { name: string; event: Event }[] | undefined;
  #stream: Stream | undefined;

  /** From now on the device's kernels are known by name. */
  constructor(device: CudaDevice) {
    this.#device = device;
    const { kernel, launch } = { kernel: device.kernel.bind(device), launch: device.launch.bind(device) };
    device.kernel = (module, name) => {
      const found = kernel(module, name);
      this.#names.set(found, name);
      return found;
    };
    device.launch = (each, grid, block, args, stream, sharedBytes) => {
      launch(each, grid, block, args, stream, sharedBytes);
      if (this.#launched !== undefined) this.#mark(`${this.#names.get(each)} ${grid.join("x")}`);
    };
  }

  /** Runs a step and prints its kernels' times, by name and grid, the longest first. */
  print(batch: number, step: () => void, stream: Stream): void {
    this.#stream = stream;
    this.#launched = [];
    this.#mark("start");
    step();
    this.#device.synchronize(stream);
    const launched = this.#launched;
    this.#launched = undefined;
    const sums = new Map<string, { count: number; us: number }>();
    for (const [i, { name, event }] of launched.entries()) {
      const before = launched[i - 1];
      if (before === undefined) continue;
      const { count, us } = sums.get(name) ?? { count: 0, us: 0 };
      sums.set(name, { count: count + 1, us: us + 1e3 * this.#device.elapsedMs(before.event, event) });
    }
    for (const { event } of launched) this.#device.destroyEvent(event);
    console.log(`batch ${batch}, kernels of one step that is no graph, us each x how many:`);
    for (const [name, { count, us }] of [...sums].sort(([, a], [, b]) => b.us - a.us).slice(0, 24))
      console.log(`  ${(us / count).toFixed(1)} x ${count}  ${name}`);
  }

  #mark(name: string): void {
    const event = this.#device.createEvent();
    if (this.#stream !== undefined) this.#device.record(event, this.#stream);
    this.#launched?.push({ name, event });
  }
}
