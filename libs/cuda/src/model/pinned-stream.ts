import { at, DroverError } from "@drover/core";
import type { CudaDevice, DeviceAddress, Event, HostMemory, Stream } from "../driver/cuda-device.ts";
import { passed } from "../driver/passed.ts";
import { PINNED } from "../limits.ts";

/** Pinned memory, and when what was last copied from it is on the card. */
type Slot = { readonly host: HostMemory; readonly copied: Event; enqueued: Promise<void>; isFilling: boolean };

/**
 * Brings bytes of files to the card through pinned memory: several parts are read at once, and are enqueued on one stream in the order in which they were asked for, as are the
 * kernels between them. What is in this process's memory is bounded, whatever is read.
 */
export class PinnedStream {
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #slots: readonly Slot[];
  #next = 0;
  /** The end of what was asked for. It never rejects: what failed first is kept. */
  #tail: Promise<void> = Promise.resolve();
  #failure: Readonly<{ error: unknown }> | undefined;

  constructor(device: CudaDevice, stream: Stream) {
    this.#device = device;
    this.#stream = stream;
    this.#slots = Array.from({ length: PINNED.count }, () => ({
      host: device.allocateHost(PINNED.bytes),
      copied: device.createEvent(),
      enqueued: Promise.resolve(),
      isFilling: false,
    }));
  }

  /**
   * Copies `lineCount` lines to the card, some at a time. Returns when the last are being read. Errors: those of `fill`, also of earlier calls; the card's. Of what was
   * asked for before the call that throws, nothing more is enqueued, and nothing is under way any longer.
   */
  async lines(
    target: DeviceAddress,
    lineBytes: number,
    lineCount: number,
    fill: (first: number, bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const each = Math.max(1, Math.floor(PINNED.bytes / lineBytes));
    for (let first = 0; first < lineCount; first += each) {
      const byteCount = Math.min(each, lineCount - first) * lineBytes;
      await this.#part(target + BigInt(first * lineBytes), byteCount, (bytes) => fill(first, bytes));
    }
  }

  /** Copies what this process has in memory. Errors: as of {@link lines}. */
  async bytes(target: DeviceAddress, source: Uint8Array): Promise<void> {
    await this.lines(target, 1, source.byteLength, async (first, into) =>
      into.set(source.subarray(first, first + into.byteLength)),
    );
  }

  /** Enqueues kernels behind all that was asked for. Their errors are those of the next call that waits. */
  run(work: () => void): void {
    void this.#behind(async () => work());
  }

  /** Waits until all of it is on the card. Errors: as of {@link lines}. */
  async drain(): Promise<void> {
    await this.#tail;
    await this.#throwFailure();
    await this.#reached();
  }

  /** Waits until nothing is under way, and forgets a failure. */
  async settle(): Promise<void> {
    await this.#tail;
    await this.#reached();
    this.#failure = undefined;
  }

  /** Lets go of the pinned memory; what is still read into stays till the process ends. Nothing more is enqueued. */
  close(): void {
    this.#failure = { error: new DroverError("cancelled", "the card was closed") };
    this.#device.synchronize(this.#stream);
    for (const { host, copied, isFilling } of this.#slots) {
      if (!isFilling) this.#device.freeHost(host);
      this.#device.destroyEvent(copied);
    }
  }

  async #part(target: DeviceAddress, byteCount: number, fill: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    const slot = at(this.#slots, this.#next);
    this.#next = (this.#next + 1) % this.#slots.length;
    await slot.enqueued;
    await this.#throwFailure();
    await passed(this.#device, slot.copied);
    slot.isFilling = true;
    const filled = Promise.allSettled([fill(slot.host.bytes.subarray(0, byteCount))]);
    slot.enqueued = this.#behind(async () => {
      const [result] = await filled;
      slot.isFilling = false;
      if (result.status === "rejected") throw result.reason;
      if (this.#failure !== undefined) return;
      this.#device.copyFromHost(target, slot.host, 0, byteCount, this.#stream);
      this.#device.record(slot.copied, this.#stream);
    });
  }

  #behind(work: () => Promise<void>): Promise<void> {
    this.#tail = this.#tail.then(async () => {
      if (this.#failure !== undefined) return;
      try {
        await work();
      } catch (error) {
        this.#failure ??= { error };
      }
    });
    return this.#tail;
  }

  /** A failure is told once: what is asked for afterwards is a new beginning. */
  async #throwFailure(): Promise<void> {
    if (this.#failure === undefined) return;
    await this.#tail;
    const { error } = this.#failure;
    await this.settle();
    throw error;
  }

  async #reached(): Promise<void> {
    const { copied } = at(this.#slots, 0);
    this.#device.record(copied, this.#stream);
    await passed(this.#device, copied);
  }
}
