import { assert } from "@drover/core";
import type { CudaDevice, DeviceAddress } from "../driver/cuda-device.ts";
import { RangeList } from "./range-list.ts";

/** What a card's memory is used for: weights, keys and values, the rows of a step, and what a step is told and answers. */
export const MEMORY_KINDS = ["weights", "kv", "activations", "exchange"] as const;
export type MemoryKind = (typeof MEMORY_KINDS)[number];

/** Allocations begin at multiples of this, so that rows can be read by 16 bytes, and cache lines are whole. */
const ALIGNMENT = 256;
/** The driver gives out memory by pages of 2 MiB: what is smaller shares a block with its like. */
const BLOCK_BYTES = 64 * 2 ** 20;

type Block = Readonly<{ address: DeviceAddress; kind: MemoryKind; ranges: RangeList }>;

/**
 * A card's memory, counted to the byte by what it is for. Small allocations of a kind share blocks, so that what is counted is what the driver says; a block goes
 * back to the card with the last that is in it.
 */
export class DeviceMemory {
  readonly #device: CudaDevice;
  readonly #blocks: Block[] = [];
  readonly #allocated = new Map<DeviceAddress, Readonly<{ block: Block; start: number; byteCount: number }>>();
  readonly #used: Record<MemoryKind, number> = { weights: 0, kv: 0, activations: 0, exchange: 0 };

  constructor(device: CudaDevice) {
    this.#device = device;
  }

  /** Bytes in use. */
  used(kind: MemoryKind): number {
    return this.#used[kind];
  }

  /** Bytes that the card has given, in use or not. */
  get heldBytes(): number {
    return this.#blocks.reduce((sum, { ranges }) => sum + ranges.byteCount, 0);
  }

  /** Errors: `overloaded` where the card is full. */
  allocate(kind: MemoryKind, byteCount: number): DeviceAddress {
    assert(byteCount > 0, "an allocation has bytes");
    const rounded = Math.ceil(byteCount / ALIGNMENT) * ALIGNMENT;
    const { block, start } = this.#find(kind, rounded);
    const address = block.address + BigInt(start);
    this.#allocated.set(address, { block, start, byteCount: rounded });
    this.#used[kind] += rounded;
    return address;
  }

  free(address: DeviceAddress): void {
    const known = this.#allocated.get(address);
    assert(known !== undefined, "what is freed was allocated");
    const { block, start, byteCount } = known;
    this.#allocated.delete(address);
    this.#used[block.kind] -= byteCount;
    block.ranges.give(start, byteCount);
    if (block.ranges.freeBytes === block.ranges.byteCount) this.#giveBack(block);
  }

  /** Gives everything back to the card. */
  close(): void {
    for (const { address } of this.#blocks) this.#device.free(address);
    this.#blocks.length = 0;
    this.#allocated.clear();
    for (const kind of MEMORY_KINDS) this.#used[kind] = 0;
  }

  #find(kind: MemoryKind, byteCount: number): { block: Block; start: number } {
    for (const block of this.#blocks) {
      const start = block.kind === kind ? block.ranges.take(byteCount) : undefined;
      if (start !== undefined) return { block, start };
    }
    const size = byteCount > BLOCK_BYTES / 2 ? byteCount : BLOCK_BYTES;
    const block = { address: this.#device.allocate(size), kind, ranges: new RangeList(size) };
    this.#blocks.push(block);
    const start = block.ranges.take(byteCount);
    assert(start !== undefined, "a new block has room for what it was made for");
    return { block, start };
  }

  #giveBack(block: Block): void {
    this.#blocks.splice(this.#blocks.indexOf(block), 1);
    this.#device.free(block.address);
  }
}
