import { DroverError } from "@drover/core";
import type {
  CudaDevice,
  DeviceAddress,
  DeviceFacts,
  Event,
  Extent3,
  Graph,
  HostMemory,
  Kernel,
  KernelArgument,
  Module,
  Stream,
} from "../driver/cuda-device.ts";

const PAGE = 2n ** 40n;

/** A card of bytes: memory is there and is copied, and kernels do nothing. What is copied or launched on a stream that is captured is done when the graph is launched. */
export class FakeDevice implements CudaDevice {
  readonly facts: DeviceFacts;
  readonly #memory = new Map<DeviceAddress, Uint8Array>();
  readonly #captures = new Map<Stream, (() => void)[]>();
  readonly #graphs = new Map<Graph, readonly (() => void)[]>();
  #next = 1n;
  #used = 0;
  launchCount = 0;

  constructor(byteCount: number) {
    this.facts = { name: "fake", id: "0".repeat(32), byteCount, architecture: 90, multiprocessorCount: 1 };
  }

  get freeBytes(): number {
    return this.facts.byteCount - this.#used;
  }

  allocate(byteCount: number): DeviceAddress {
    if (byteCount > this.freeBytes) throw new DroverError("overloaded", "CUDA: cuMemAlloc_v2: out of memory (2)");
    const address = this.#next++ * PAGE;
    this.#memory.set(address, new Uint8Array(byteCount));
    this.#used += byteCount;
    return address;
  }

  free(address: DeviceAddress): void {
    this.#used -= this.#at(address, 0).byteLength;
    this.#memory.delete(address);
  }

  allocateHost(byteCount: number): HostMemory {
    return { address: this.#next++ * PAGE, bytes: new Uint8Array(byteCount) };
  }

  freeHost(): void {
    // The garbage collector's.
  }

  registerHost(): DeviceAddress {
    throw new DroverError("unavailable", "CUDA: cuMemHostRegister_v2: operation not supported (801)");
  }

  unregisterHost(): void {
    // Nothing was registered.
  }

  write(target: DeviceAddress, bytes: Uint8Array): void {
    this.#at(target, bytes.byteLength).set(bytes);
  }

  read(source: DeviceAddress, bytes: Uint8Array): void {
    bytes.set(this.#at(source, bytes.byteLength).subarray(0, bytes.byteLength));
  }

  copyFromHost(target: DeviceAddress, source: HostMemory, offset: number, byteCount: number, stream: Stream): void {
    this.#do(stream, () => this.write(target, source.bytes.subarray(offset, offset + byteCount)));
  }

  copyToHost(target: HostMemory, offset: number, source: DeviceAddress, byteCount: number, stream: Stream): void {
    this.#do(stream, () => this.read(source, target.bytes.subarray(offset, offset + byteCount)));
  }

  copy(target: DeviceAddress, source: DeviceAddress, byteCount: number, stream: Stream): void {
    this.#do(stream, () => this.write(target, this.#at(source, byteCount).slice(0, byteCount)));
  }

  fill(target: DeviceAddress, value: number, byteCount: number, stream: Stream): void {
    this.#do(stream, () => this.#at(target, byteCount).fill(value, 0, byteCount));
  }

  createStream(): Stream {
    return this.#next++ as Stream;
  }

  destroyStream(): void {
    // There is nothing behind its number.
  }

  createEvent(): Event {
    return this.#next++ as Event;
  }

  destroyEvent(): void {
    // There is nothing behind its number.
  }

  record(): void {
    // Everything is over at once.
  }

  hasPassed(): boolean {
    return true;
  }

  elapsedMs(): number {
    return 0;
  }

  synchronize(): void {
    // Everything is over at once.
  }

  beginCapture(stream: Stream): void {
    this.#captures.set(stream, []);
  }

  endCapture(stream: Stream): Graph {
    const graph = this.#next++ as Graph;
    this.#graphs.set(graph, this.#captures.get(stream) ?? []);
    this.#captures.delete(stream);
    return graph;
  }

  launchGraph(graph: Graph): void {
    for (const work of this.#graphs.get(graph) ?? []) work();
  }

  destroyGraph(graph: Graph): void {
    this.#graphs.delete(graph);
  }

  loadModule(): Module {
    return this.#next++ as Module;
  }

  unloadModule(): void {
    // There is nothing behind its number.
  }

  kernel(): Kernel {
    return this.#next++ as Kernel;
  }

  launch(_kernel: Kernel, _grid: Extent3, _block: Extent3, _args: readonly KernelArgument[], stream: Stream): void {
    this.#do(stream, () => (this.launchCount += 1));
  }

  close(): void {
    // There is nothing behind it.
  }

  #do(stream: Stream, work: () => void): void {
    const capture = this.#captures.get(stream);
    if (capture === undefined) work();
    else capture.push(work);
  }

  /** The memory from an address on. Throws where there is not so much. */
  #at(address: DeviceAddress, byteCount: number): Uint8Array {
    const start = (address / PAGE) * PAGE;
    const bytes = this.#memory.get(start)?.subarray(Number(address - start));
    if (bytes === undefined || bytes.byteLength < byteCount)
      throw new DroverError("internal", "CUDA: invalid argument (1)");
    return bytes;
  }
}
