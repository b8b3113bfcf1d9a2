import { assert } from "@drover/core";
import { KERNEL_ARGUMENTS_MAX } from "../limits.ts";
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
} from "./cuda-device.ts";
import type { DriverCall, DriverCalls } from "./driver-calls.ts";
import { LaunchArguments } from "./launch-arguments.ts";
import { LaunchConfig } from "./launch-config.ts";
import type { NativeValue } from "./native-library.ts";

/** Values of cuda.h that the calls below take. */
const [NAME_BYTES, UUID_BYTES] = [256, 16];
const ATTRIBUTE = { multiprocessorCount: 16, major: 75, minor: 76 } as const;
const STREAM_NON_BLOCKING = 1;
/** For all contexts, and in the card's own addresses. */
const HOST_MAPPED = 1 | 2;
/** Lower ones go first; the driver takes the nearest that the card has. */
const PRIORITY_FIRST = -16;
/** Other threads' calls, such as an allocation, do not end a capture. */
const CAPTURE_RELAXED = 2;

/** Shared memory of a block beyond this has to be asked for, by a kernel's attribute. */
const SHARED_BYTES_FREE = 32 * 1024;
const MAX_DYNAMIC_SHARED = 8;

/** Contexts are a thread's: the one that this thread's last call was for, by the driver that it was made of. */
const current = new WeakMap<DriverCalls, bigint>();

/** A card through CUDA's driver, in its primary context, which other users of the card in this process share. */
export class NativeDevice implements CudaDevice {
  readonly facts: DeviceFacts;
  readonly #calls: DriverCalls;
  readonly #device: number;
  readonly #context: bigint;
  readonly #arguments: LaunchArguments;
  readonly #config: LaunchConfig;
  /** What was asked for, of kernels that use much shared memory. */
  readonly #sharedBytes = new Map<Kernel, number>();

  /** Errors: `unavailable` where there is no such card. */
  constructor(calls: DriverCalls, ordinal: number) {
    this.#calls = calls;
    calls.call("cuInit", 0);
    this.#device = calls.number("cuDeviceGet", ordinal);
    const name = new Uint8Array(NAME_BYTES);
    calls.call("cuDeviceGetName", name, NAME_BYTES, this.#device);
    const uuid = new Uint8Array(UUID_BYTES);
    calls.call("cuDeviceGetUuid_v2", uuid, this.#device);
    const attribute = (id: number) => calls.number("cuDeviceGetAttribute", id, this.#device);
    this.facts = {
      name: new TextDecoder().decode(name.subarray(0, name.indexOf(0))),
      id: Buffer.from(uuid).toString("hex"),
      byteCount: Number(calls.made("cuDeviceTotalMem_v2", this.#device)),
      architecture: 10 * attribute(ATTRIBUTE.major) + attribute(ATTRIBUTE.minor),
      multiprocessorCount: attribute(ATTRIBUTE.multiprocessorCount),
    };
    this.#context = calls.made("cuDevicePrimaryCtxRetain", this.#device);
    this.#arguments = new LaunchArguments(KERNEL_ARGUMENTS_MAX, (array) => calls.library.addressOf(array));
    this.#config = new LaunchConfig(this.facts.architecture, (array) => calls.library.addressOf(array));
  }

  get freeBytes(): number {
    const free = new BigUint64Array(1);
    this.#call("cuMemGetInfo_v2", free, new BigUint64Array(1));
    return Number(free[0]);
  }

  allocate(byteCount: number): DeviceAddress {
    assert(byteCount > 0, "an allocation has bytes");
    return this.#made("cuMemAlloc_v2", byteCount);
  }

  free(address: DeviceAddress): void {
    this.#call("cuMemFree_v2", address);
  }

  allocateHost(byteCount: number): HostMemory {
    const address = this.#made("cuMemHostAlloc", byteCount, 0);
    return { address, bytes: this.#calls.library.view(address, byteCount) };
  }

  freeHost({ address }: HostMemory): void {
    this.#call("cuMemFreeHost", address);
  }

  registerHost(address: bigint, byteCount: number): DeviceAddress {
    this.#call("cuMemHostRegister_v2", address, byteCount, HOST_MAPPED);
    return this.#made("cuMemHostGetDevicePointer_v2", address, 0);
  }

  unregisterHost(address: bigint): void {
    this.#call("cuMemHostUnregister", address);
  }

  write(target: DeviceAddress, bytes: Uint8Array): void {
    this.#call("cuMemcpyHtoD_v2", target, bytes, bytes.byteLength);
  }

  read(source: DeviceAddress, bytes: Uint8Array): void {
    this.#call("cuMemcpyDtoH_v2", bytes, source, bytes.byteLength);
  }

  copyFromHost(target: DeviceAddress, source: HostMemory, offset: number, byteCount: number, stream: Stream): void {
    assert(offset + byteCount <= source.bytes.byteLength, "what is copied lies within the pinned memory");
    this.#call("cuMemcpyHtoDAsync_v2", target, source.address + BigInt(offset), byteCount, stream);
  }

  copyToHost(target: HostMemory, offset: number, source: DeviceAddress, byteCount: number, stream: Stream): void {
    assert(offset + byteCount <= target.bytes.byteLength, "what is copied lies within the pinned memory");
    this.#call("cuMemcpyDtoHAsync_v2", target.address + BigInt(offset), source, byteCount, stream);
  }

  copy(target: DeviceAddress, source: DeviceAddress, byteCount: number, stream: Stream): void {
    this.#call("cuMemcpyDtoDAsync_v2", target, source, byteCount, stream);
  }

  fill(target: DeviceAddress, value: number, byteCount: number, stream: Stream): void {
    this.#call("cuMemsetD8Async", target, value, byteCount, stream);
  }

  createStream(isUrgent = false): Stream {
    const priority = isUrgent ? PRIORITY_FIRST : 0;
    return this.#made("cuStreamCreateWithPriority", STREAM_NON_BLOCKING, priority) as Stream;
  }

  destroyStream(stream: Stream): void {
    this.#call("cuStreamDestroy_v2", stream);
  }

  createEvent(): Event {
    return this.#made("cuEventCreate", 0) as Event;
  }

  destroyEvent(event: Event): void {
    this.#call("cuEventDestroy_v2", event);
  }

  record(event: Event, stream: Stream): void {
    this.#call("cuEventRecord", event, stream);
  }

  hasPassed(event: Event): boolean {
    this.#enter();
    return this.#calls.isOver("cuEventQuery", event);
  }

  elapsedMs(from: Event, to: Event): number {
    const out = new Float32Array(1);
    this.#call("cuEventElapsedTime", out, from, to);
    return out[0] ?? 0;
  }

  synchronize(stream: Stream): void {
    this.#call("cuStreamSynchronize", stream);
  }

  beginCapture(stream: Stream): void {
    this.#call("cuStreamBeginCapture_v2", stream, CAPTURE_RELAXED);
  }

  endCapture(stream: Stream): Graph {
    const out = new BigUint64Array(1);
    this.#call("cuStreamEndCapture", stream, out);
    const recorded = out[0] ?? 0n;
    try {
      return this.#made("cuGraphInstantiateWithFlags", recorded, 0) as Graph;
    } finally {
      this.#call("cuGraphDestroy", recorded);
    }
  }

  launchGraph(graph: Graph, stream: Stream): void {
    this.#call("cuGraphLaunch", graph, stream);
  }

  destroyGraph(graph: Graph): void {
    this.#call("cuGraphExecDestroy", graph);
  }

  loadModule(code: Uint8Array): Module {
    return this.#made("cuModuleLoadData", code) as Module;
  }

  unloadModule(module: Module): void {
    this.#call("cuModuleUnload", module);
  }

  kernel(module: Module, name: string): Kernel {
    return this.#made("cuModuleGetFunction", module, name) as Kernel;
  }

  launch(
    kernel: Kernel,
    grid: Extent3,
    block: Extent3,
    args: readonly KernelArgument[],
    stream: Stream,
    sharedBytes: number,
  ): void {
    this.#arguments.set(args);
    if (sharedBytes > SHARED_BYTES_FREE && this.#sharedBytes.get(kernel) !== sharedBytes) {
      this.#call("cuFuncSetAttribute", kernel, MAX_DYNAMIC_SHARED, sharedBytes);
      this.#sharedBytes.set(kernel, sharedBytes);
    }
    this.#config.set(grid, block, sharedBytes, stream);
    this.#call("cuLaunchKernelEx", this.#config.bytes, kernel, this.#arguments.addresses, null);
  }

  close(): void {
    current.delete(this.#calls);
    this.#calls.call("cuDevicePrimaryCtxRelease_v2", this.#device);
  }

  #enter(): void {
    if (current.get(this.#calls) === this.#context) return;
    this.#calls.call("cuCtxSetCurrent", this.#context);
    current.set(this.#calls, this.#context);
  }

  #call(name: DriverCall, ...values: readonly NativeValue[]): void {
    this.#enter();
    this.#calls.call(name, ...values);
  }

  #made(name: DriverCall, ...values: readonly NativeValue[]): bigint {
    this.#enter();
    return this.#calls.made(name, ...values);
  }
}
