import { assert } from "@drover/core";

/** Free ranges of a block of memory, [start, end), apart from each other, ascending: the smallest that is large enough is taken first. */
export class RangeList {
  readonly #ranges: { start: number; end: number }[];
  readonly byteCount: number;

  constructor(byteCount: number) {
    this.byteCount = byteCount;
    this.#ranges = [{ start: 0, end: byteCount }];
  }

  get freeBytes(): number {
    return this.#ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  /** Where so many bytes were free; undefined where no range is that long. */
  take(byteCount: number): number | undefined {
    let best: { start: number; end: number } | undefined;
    for (const range of this.#ranges) {
      const length = range.end - range.start;
      if (length >= byteCount && (best === undefined || length < best.end - best.start)) best = range;
    }
    if (best === undefined) return undefined;
    const { start } = best;
    best.start += byteCount;
    if (best.start === best.end) this.#ranges.splice(this.#ranges.indexOf(best), 1);
    return start;
  }

  /** Gives a range back, and joins it with its neighbours. */
  give(start: number, byteCount: number): void {
    const end = start + byteCount;
    const next = this.#ranges.findIndex((range) => range.start >= end);
    const index = next < 0 ? this.#ranges.length : next;
    const before = this.#ranges[index - 1];
    const after = this.#ranges[index];
    assert(before === undefined || before.end <= start, "a range is given back once");
    const joinsBefore = before !== undefined && before.end === start;
    const joinsAfter = after !== undefined && after.start === end;
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      this.#ranges.splice(index, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsAfter) after.start = start;
    else this.#ranges.splice(index, 0, { start, end });
  }
}
