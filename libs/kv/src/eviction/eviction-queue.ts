import { assert, at } from "@drover/core";
import { EVICTION_SLOPES_MAX } from "../limits.ts";
import type { PrefixNode, QueuedLeaf } from "../prefix-node.ts";
import type { EvictionPolicy } from "./policy.ts";

/**
 * The leaves that may be evicted, in a policy's order. Leaves of one slope never change their order as time passes, so
 * each slope has a heap and only their tops are compared. Adding and deleting are O(log n).
 */
export class EvictionQueue {
  readonly #policy: EvictionPolicy;
  readonly #heaps = new Map<number, PrefixNode[]>();
  #size = 0;

  constructor(policy: EvictionPolicy) {
    this.#policy = policy;
  }

  get size(): number {
    return this.#size;
  }

  /** Asks the policy for the leaf's priority, which stays until the leaf is deleted. */
  add(leaf: PrefixNode): void {
    const priority = this.#policy.priority(leaf);
    const heap = this.#heapOf(priority.slope);
    leaf.queued = { priority, index: heap.length };
    heap.push(leaf);
    rise(heap, heap.length - 1);
    this.#size += 1;
  }

  delete(leaf: PrefixNode): void {
    const { priority, index } = placeOf(leaf);
    const heap = this.#heapOf(priority.slope);
    const last = heap.pop();
    leaf.queued = undefined;
    this.#size -= 1;
    if (last === undefined || last === leaf) return;
    heap[index] = last;
    placeOf(last).index = index;
    sink(heap, index);
    rise(heap, placeOf(last).index);
  }

  /** The leaf that goes first at time `now`; it stays. */
  peek(now: number): PrefixNode | undefined {
    let first: PrefixNode | undefined;
    for (const [top] of this.#heaps.values())
      if (top !== undefined && (first === undefined || goesBefore(top, first, now))) first = top;
    return first;
  }

  #heapOf(slope: number): PrefixNode[] {
    const known = this.#heaps.get(slope);
    if (known !== undefined) return known;
    assert(this.#heaps.size < EVICTION_SLOPES_MAX, "a policy has few slopes");
    const heap: PrefixNode[] = [];
    this.#heaps.set(slope, heap);
    return heap;
  }
}

/**
 * The greatest priority first; of equals a local leaf before a global one, then the deepest, whose loss costs the
 * least, then the oldest.
 */
function goesBefore(a: PrefixNode, b: PrefixNode, now: number): boolean {
  const gap = priorityAt(a, now) - priorityAt(b, now);
  if (gap !== 0) return gap > 0;
  if (a.kind !== b.kind) return a.kind === "local";
  if (a.firstBlock !== b.firstBlock) return a.firstBlock > b.firstBlock;
  return a.serial < b.serial;
}

function priorityAt(leaf: PrefixNode, now: number): number {
  const { base, slope } = placeOf(leaf).priority;
  return base + slope * now;
}

function placeOf({ queued }: PrefixNode): QueuedLeaf {
  assert(queued !== undefined, "what may be evicted is in the queue");
  return queued;
}

/**
 * Moves the leaf at `start` up to where its parent in the heap goes before it. Within a heap any time gives the same
 * order.
 */
function rise(heap: PrefixNode[], start: number): void {
  const leaf = at(heap, start);
  let index = start;
  while (index > 0) {
    const up = (index - 1) >> 1;
    if (!goesBefore(leaf, at(heap, up), 0)) break;
    put(heap, index, at(heap, up));
    index = up;
  }
  put(heap, index, leaf);
}

/** Moves the leaf at `start` down to where it goes before both of its children in the heap. */
function sink(heap: PrefixNode[], start: number): void {
  const leaf = at(heap, start);
  let index = start;
  for (let child = 2 * index + 1; child < heap.length; child = 2 * index + 1) {
    const other = child + 1;
    if (other < heap.length && goesBefore(at(heap, other), at(heap, child), 0)) child = other;
    if (!goesBefore(at(heap, child), leaf, 0)) break;
    put(heap, index, at(heap, child));
    index = child;
  }
  put(heap, index, leaf);
}

function put(heap: PrefixNode[], index: number, leaf: PrefixNode): void {
  heap[index] = leaf;
  placeOf(leaf).index = index;
}
