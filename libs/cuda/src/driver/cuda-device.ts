declare const brand: unique symbol;
type Handle<Name extends string> = bigint & { readonly [brand]: Name };

/** An address in a card's memory. It may be counted on: `address + 4n` is the next f32. */
export type DeviceAddress = bigint;
/** A queue of work on a card: what is enqueued on one stream runs in that order. */
export type Stream = Handle<"stream">;
/** A point in a stream that can be asked for. */
export type Event = Handle<"event">;
/** Work that was recorded once and is launched as a whole. Its addresses are frozen; what lies there is not. */
export type Graph = Handle<"graph">;
/** Loaded machine code. */
export type Module = Handle<"module">;
/** One function of a module. */
export type Kernel = Handle<"kernel">;

/** Pinned memory of this process: copies from and to it run beside the process's own work. */
export type HostMemory = Readonly<{ address: bigint; bytes: Uint8Array<ArrayBuffer> }>;

/** What a card says of itself. */
export type DeviceFacts = Readonly<{
  name: string;
  /** The card's own, or its part's that is lent as a card: 32 hexadecimal digits. */
  id: string;
  byteCount: number;
  /** Compute capability, such as 90 for Hopper: what machine code is made for. */
  architecture: number;
  multiprocessorCount: number;
}>;

/** An argument of a kernel: an address, or a number of the type that the kernel declares. */
export type KernelArgument = DeviceAddress | Readonly<{ i32: number }> | Readonly<{ f32: number }>;

/** Three sizes, x first. */
export type Extent3 = readonly [x: number, y: number, z: number];

/**
 * One card, through CUDA's driver. Calls return at once unless they say that they wait. Errors of every call: `overloaded` where the card's memory is full,
 * `unavailable` where the card is gone, otherwise `internal`; each with the call's name and the card's own words. After an `internal` one the card is unusable.
 */
export interface CudaDevice {
  readonly facts: DeviceFacts;
  /** What the card has free now, for all processes, bytes. */
  readonly freeBytes: number;

  allocate(byteCount: number): DeviceAddress;
  free(address: DeviceAddress): void;
  allocateHost(byteCount: number): HostMemory;
  freeHost(memory: HostMemory): void;
  /**
   * Lets kernels read and write memory of this process, from a page on: where it is for them. Errors: `unavailable` where the card or the system cannot. It is to be taken back before it is
   * unmapped, and after all work that uses it.
   */
  registerHost(address: bigint, byteCount: number): DeviceAddress;
  unregisterHost(address: bigint): void;

  /** Copies ordinary memory to the card; waits until it has been read. */
  write(target: DeviceAddress, bytes: Uint8Array): void;
  /** Waits for all work before it that is in no stream of its own, and for the copy. */
  read(source: DeviceAddress, bytes: Uint8Array): void;
  copyFromHost(target: DeviceAddress, source: HostMemory, offset: number, byteCount: number, stream: Stream): void;
  copyToHost(target: HostMemory, offset: number, source: DeviceAddress, byteCount: number, stream: Stream): void;
  copy(target: DeviceAddress, source: DeviceAddress, byteCount: number, stream: Stream): void;
  fill(target: DeviceAddress, value: number, byteCount: number, stream: Stream): void;

  /** `isUrgent`: the card begins its work before that of other streams. */
  createStream(isUrgent?: boolean): Stream;
  destroyStream(stream: Stream): void;
  createEvent(): Event;
  destroyEvent(event: Event): void;
  record(event: Event, stream: Stream): void;
  /** Whether the stream has come to the event. A fault of the work before it is thrown here. */
  hasPassed(event: Event): boolean;
  /** Milliseconds on the card between two events that have passed. */
  elapsedMs(from: Event, to: Event): number;
  /** Waits, and holds this thread meanwhile: for start and end. */
  synchronize(stream: Stream): void;

  /** What is enqueued on the stream from now on is recorded, not run. */
  beginCapture(stream: Stream): void;
  endCapture(stream: Stream): Graph;
  launchGraph(graph: Graph, stream: Stream): void;
  destroyGraph(graph: Graph): void;

  loadModule(code: Uint8Array): Module;
  unloadModule(module: Module): void;
  kernel(module: Module, name: string): Kernel;
  /** `sharedBytes`: memory that each block shares beside what its kernel declares; more than the card has is an error. */
  launch(
    kernel: Kernel,
    grid: Extent3,
    block: Extent3,
    args: readonly KernelArgument[],
    stream: Stream,
    sharedBytes: number,
  ): void;

  /** Lets go of the card. What was allocated has to be free. */
  close(): void;
}

/** Makes machine code of CUDA C++. */
export interface KernelCompiler {
  /** The compiler's own version, such as "13.0": code of another one is not looked for in a cache. */
  readonly version: string;
  /** Machine code for the options' architecture. Errors: `internal` with the compiler's log. */
  compile(source: string, options: readonly string[]): Uint8Array;
}
