import type { CudaDevice, DeviceAddress, Stream } from "../driver/cuda-device.ts";
import { Activations, type Precision } from "../kernels/activations.ts";
import { i32, KernelLauncher } from "../kernels/kernel-launcher.ts";
import type { KernelLibrary } from "../kernels/kernel-library.ts";

const THREADS = 256;
/** Blocks that wait for answers at once: what other cards wait for is computed beside them. */
const WAITING_BLOCKS_MAX = 64;

/** The step's side of all links: addresses of what kernels/link.cu says. */
export type SentStep = Readonly<{
  links: DeviceAddress;
  linkCount: number;
  turns: DeviceAddress;
  away: DeviceAddress;
  arrived: DeviceAddress;
  width: number;
}>;

/** The kernels by which rows go from one card of a host to another one and come back, each enqueued by one call. What each of them computes says its file. */
export class LinkKernels {
  readonly #launcher: KernelLauncher;
  readonly #activations: Activations;

  constructor(device: CudaDevice, library: KernelLibrary, precision: Precision, stream: Stream) {
    this.#launcher = new KernelLauncher(device, library, stream);
    this.#activations = new Activations(precision, device.facts.architecture);
  }

  /** Compiles what a step needs. Errors: the compiler's. */
  prepare(): void {
    for (const name of ["sendRows", "receiveRows"]) this.#launcher.kernel("link", name, {});
  }

  /** Rows whose expert is on another card go there. */
  send(
    rowCount: number,
    step: SentStep &
      Readonly<{
        exact: DeviceAddress;
        scales: DeviceAddress;
        chosen: DeviceAddress;
        stride: number;
        column: number;
        live: DeviceAddress;
        linkOf: DeviceAddress;
      }>,
  ): void {
    const { exact, scales, chosen, live, linkOf, links, turns, away, arrived } = step;
    const kernel = this.#launcher.kernel("link", "sendRows", {});
    const sizes = [step.width, step.stride, step.column, step.linkCount].map(i32);
    const args = [exact, scales, chosen, live, linkOf, links, turns, away, arrived, ...sizes];
    this.#launcher.launch(kernel, [rowCount, 1, 1], THREADS, args);
  }

  /** Their answers, at their places among the routed rows; waits for them. */
  receive(
    rowCount: number,
    step: SentStep &
      Readonly<{ routed: DeviceAddress; lost: DeviceAddress; waited: DeviceAddress; told: DeviceAddress }>,
  ): void {
    const { away, links, turns, routed, lost, waited, told } = step;
    const kernel = this.#launcher.kernel("link", "receiveRows", {});
    const sizes = [step.width, step.linkCount, rowCount].map(i32);
    const args = [away, links, turns, routed, lost, waited, told, ...sizes];
    this.#launcher.launch(kernel, [Math.min(rowCount, WAITING_BLOCKS_MAX), 1, 1], THREADS, args);
  }

  /** Rows of another card's call, as activations of a product for so many experts, and their jobs. */
  admit(
    rowCount: number,
    call: Readonly<{
      calls: DeviceAddress;
      head: DeviceAddress;
      z: DeviceAddress;
      x: DeviceAddress;
      asked: DeviceAddress;
      order: DeviceAddress;
      jobs: DeviceAddress;
      jobCount: DeviceAddress;
      expertCount: number;
      rowsOfJob: number;
      width: number;
    }>,
  ): void {
    const { calls, head, z, x, asked, order, jobs, jobCount, expertCount, rowsOfJob, width } = call;
    const kernel = this.#launcher.kernel("admit", "admitRows", this.#activations.macros(rowCount, expertCount));
    const sizes = [expertCount, rowsOfJob, width, this.#activations.stride(width)].map(i32);
    const args = [calls, head, z, x, asked, order, jobs, jobCount, ...sizes];
    this.#launcher.launch(kernel, [rowCount + 1, 1, 1], THREADS, args);
  }

  /** What came of them goes back. */
  reply(
    rowCount: number,
    call: Readonly<{
      asked: DeviceAddress;
      y: DeviceAddress;
      out: DeviceAddress;
      answered: DeviceAddress;
      arrived: DeviceAddress;
      width: number;
    }>,
  ): void {
    const { asked, y, out, answered, arrived, width } = call;
    const kernel = this.#launcher.kernel("admit", "replyRows", this.#activations.macros(1));
    this.#launcher.launch(kernel, [rowCount, 1, 1], THREADS, [asked, y, out, answered, arrived, i32(width)]);
  }
}
