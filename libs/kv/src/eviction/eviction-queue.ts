import type { Span } from "../span.ts";

/**
 * The runs that may be evicted, in four heaps by least recent use: global or local, used again or not. The next victim is the one whose
 * age times its class's weight is greatest, so only the four tops are compared. All operations are O(log n).
 */
export class EvictionQueue {
  readonly #heaps: readonly Span[][] = [[], [], [], []];
  readonly #weights: readonly number[];

  /**
   * A row's weight is its bytes, so that memory goes to what saves the most computing for its size: a local row takes as many times a
   * global row's bytes as there are more local layers (3 for Llama 4), and either one saves the same row. What was used again has half the
   * weight: its next use is likelier. At least 2 for local rows, so that they go before the global rows they need.
   */
  constructor(globalRowBytes: number, localRowBytes: number) {
    const local = Math.max(2, globalRowBytes === 0 ? 1 : localRowBytes / globalRowBytes);
    this.#weights = [1, 1 / 2, local, local / 2];
  }

  get size(): number {
    return this.#heaps.reduce((total, heap) => total + heap.length, 0);
  }

  add(span: Span): void {
    const heap = this.#heapOf(span);
    heap.push(span);
    this.#rise(heap, heap.length - 1);
  }

  delete(span: Span): void {
    const heap = this.#heapOf(span);
    const index = span.queueIndex;
    const last = heap.pop();
    span.queueIndex = -1;
    if (last === undefined || last === span) return;
    heap[index] = last;
    this.#sink(heap, index);
    this.#rise(heap, last.queueIndex);
  }

  /** The next victim at time `now`; it stays. */
  peek(now: number): Span | undefined {
    let victim: Span | undefined;
    let worst = 0;
    // From the last class on, so that of equals the local run goes first.
    for (let index = this.#heaps.length - 1; index >= 0; index--) {
      const top = this.#heaps[index]?.[0];
      if (top === undefined) continue;
      const score = (now - top.usedAt + 1) * (this.#weights[index] ?? 0);
      if (score > worst) [victim, worst] = [top, score];
    }
    return victim;
  }

  #heapOf(span: Span): Span[] {
    return this.#heaps[(span.kind === "local" ? 2 : 0) + (span.reused ? 1 : 0)] ?? [];
  }

  #rise(heap: Span[], start: number): void {
    const span = heap[start];
    if (span === undefined) return;
    let index = start;
    for (let up = heap[(index - 1) >> 1]; index > 0 && up !== undefined && before(span, up); ) {
      heap[index] = up;
      up.queueIndex = index;
      index = (index - 1) >> 1;
      up = heap[(index - 1) >> 1];
    }
    heap[index] = span;
    span.queueIndex = index;
  }

  #sink(heap: Span[], start: number): void {
    const span = heap[start];
    if (span === undefined) return;
    let index = start;
    for (;;) {
      const left = heap[2 * index + 1];
      const right = heap[2 * index + 2];
      const least = right !== undefined && left !== undefined && before(right, left) ? right : left;
      if (least === undefined || !before(least, span)) break;
      heap[index] = least;
      const from = least === left ? 2 * index + 1 : 2 * index + 2;
      least.queueIndex = index;
      index = from;
    }
    heap[index] = span;
    span.queueIndex = index;
  }
}

/** Least recently used first; of one time the deepest, whose loss costs the least; then in a fixed order. */
function before(a: Span, b: Span): boolean {
  if (a.usedAt !== b.usedAt) return a.usedAt < b.usedAt;
  if (a.firstBlock !== b.firstBlock) return a.firstBlock > b.firstBlock;
  return a.serial < b.serial;
}
