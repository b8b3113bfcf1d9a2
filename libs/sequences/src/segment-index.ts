import { assert, at } from "@drover/core";
import type { StripeSegment } from "./stripe-segment.ts";

/** The names of a segment's blocks, in their order. The last one names all that comes before its end, and therefore the segment. */
export type SegmentBlocks = readonly string[];

/** Told of the blocks of a segment that can be found from now on, or not any more. */
export type OnFindable = (operation: "added" | "removed", blocks: SegmentBlocks) => void;

type Entry = Readonly<{ segment: StripeSegment; blocks: SegmentBlocks }>;

/** Segments that context workers hold, found again by the prefix that ends with them. */
export class SegmentIndex {
  readonly #onChange: OnFindable;
  readonly #byPrefix = new Map<string, Entry>();
  readonly #prefixOf = new Map<StripeSegment, string>();

  constructor(onChange: OnFindable) {
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#byPrefix.size;
  }

  /** The segment that ends a prefix, where a holder has it. */
  find(prefix: string): StripeSegment | undefined {
    const segment = this.#byPrefix.get(prefix)?.segment;
    return segment?.isHeld === true ? segment : undefined;
  }

  has(segment: StripeSegment): boolean {
    return this.#prefixOf.has(segment);
  }

  /** From now on it is found. Where another one has the same rows, that one is. */
  add(segment: StripeSegment, blocks: SegmentBlocks): void {
    const prefix = at(blocks, blocks.length - 1);
    if (this.find(prefix) !== undefined) return;
    const before = this.#byPrefix.get(prefix);
    if (before !== undefined) this.remove(before.segment);
    this.#byPrefix.set(prefix, { segment, blocks });
    this.#prefixOf.set(segment, prefix);
    this.#onChange("added", blocks);
  }

  /** It is not found any more. */
  remove(segment: StripeSegment): void {
    const prefix = this.#prefixOf.get(segment);
    if (prefix === undefined) return;
    const entry = this.#byPrefix.get(prefix);
    assert(entry?.segment === segment, "a prefix names one segment");
    this.#prefixOf.delete(segment);
    this.#byPrefix.delete(prefix);
    this.#onChange("removed", entry.blocks);
  }
}
