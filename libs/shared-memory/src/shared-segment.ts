import { closeSync } from "node:fs";
import { Socket } from "node:net";
import type { SystemCalls } from "./system-calls.ts";

/** What another process of this host is told, so that it can map a segment: open files of the process that offers it, good as long as that has them open. */
export type SegmentOffer = Readonly<{
  processId: number;
  memoryFd: number;
  byteCount: number;
  /** Where the one that maps it is woken, and where it wakes the other. */
  wokenFd: number;
  wakesFd: number;
  /** What the segment begins with. */
  nonce: Uint8Array;
}>;

/** The ends of two pipes that a process keeps: where it is woken, and where it wakes the other. */
export type BellFds = Readonly<{ wokenFd: number; wakesFd: number }>;

const ONE = Uint8Array.of(1);
/** Wakes that have come meanwhile are one. */
const BELL_BYTES = 64;

/**
 * Memory that this process and one other have together, and a bell each way: a byte in a pipe wakes the other's event loop, and the end of the pipe says
 * that the other is gone, however it ended.
 */
export class SharedSegment implements Disposable {
  readonly address: bigint;
  /** Not to be touched once it is unmapped. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #calls: SystemCalls;
  readonly #wakesFd: number;
  readonly #bell: Socket;
  #isOpen = true;
  #isMapped = true;

  /** Maps memory and takes the ends of pipes over. */
  constructor(calls: SystemCalls, memoryFd: number, byteCount: number, { wokenFd, wakesFd }: BellFds) {
    this.#calls = calls;
    this.address = calls.map(memoryFd, byteCount);
    this.bytes = calls.view(this.address, byteCount);
    this.#wakesFd = wakesFd;
    this.#bell = new Socket({
      fd: wokenFd,
      readable: true,
      writable: false,
      onread: { buffer: new Uint8Array(BELL_BYTES), callback: () => this.#woken() },
    });
    // What waits for it holds the process, and not the bell.
    this.#bell.unref();
    this.#bell.on("error", () => this[Symbol.dispose]());
  }

  #onWake: () => void = () => undefined;
  #onGone: () => void = () => undefined;

  /** Calls when the other has rung, and once when it is gone or this one is disposed of. */
  listen(onWake: () => void, onGone: () => void): void {
    this.#onWake = onWake;
    this.#onGone = onGone;
    const end = () => this[Symbol.dispose]();
    this.#bell.once("end", end).once("close", end);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Wakes the other. */
  ring(): void {
    if (this.#isOpen) this.#calls.write(this.#wakesFd, ONE);
  }

  /** Rings no more and hears nothing more; the memory stays until {@link unmap}. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#bell.destroy();
    closeSync(this.#wakesFd);
    this.#onGone();
  }

  /** Gives the memory back, once nothing of this process uses it. */
  unmap(): void {
    if (!this.#isMapped) return;
    this.#isMapped = false;
    this.#calls.unmap(this.address, this.bytes.byteLength);
  }

  #woken(): boolean {
    this.#onWake();
    return this.#isOpen;
  }
}
