import { assert, type ContextHolder } from "@drover/core";
import { StripeSegment } from "./stripe-segment.ts";

/** What one holder has of a sequence under one name: these segments, rising. */
export type StripeShare = Readonly<{ holder: ContextHolder; sequenceId: string; segments: readonly number[] }>;

export type SequenceStripesOptions = Readonly<{
  sequenceId: string;
  first: number;
  bytesMax: number;
  segmentBytes: number;
  /** Segments that were there before it, from 0 on; some may be lost. */
  found?: readonly StripeSegment[];
  /** Told of its segments that nobody reads any more; unless given, their holders let go of them. */
  atRest?: (segment: StripeSegment) => void;
}>;

/** Where the finished segments of one sequence are. Segments before {@link end} are read from their holders, later ones are its own. */
export class SequenceStripes {
  readonly sequenceId: string;
  /** The holder that is asked first for segment 0, as a count of turns: those of several sequences begin at different holders. */
  readonly first: number;
  /** Bytes that its segments may come to need in all. */
  readonly bytesMax: number;
  readonly segmentBytes: number;
  /** Segments that need not be computed: they were there when it was opened. */
  readonly foundCount: number;
  readonly #segments: StripeSegment[];
  readonly #atRest: (segment: StripeSegment) => void;
  /** Answers of holders that it waits for: whether they still have what was found. */
  readonly #asked = new Set<Promise<void>>();
  #end: number;
  #closed = false;

  constructor(options: SequenceStripesOptions) {
    const { sequenceId, first, bytesMax, segmentBytes, found = [], atRest = (segment) => segment.letGo() } = options;
    this.sequenceId = sequenceId;
    this.first = first;
    this.bytesMax = bytesMax;
    this.segmentBytes = segmentBytes;
    this.#segments = [...found];
    this.#end = found.length;
    this.foundCount = found.filter(({ isHeld }) => isHeld).length;
    this.#atRest = atRest;
    for (const segment of found) segment.open();
  }

  get end(): number {
    return this.#end;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes that holders do not have yet and may come to. */
  get bytesToCome(): number {
    const held = this.#segments.filter(({ isHeld }) => isHeld).length;
    return Math.max(0, this.bytesMax - held * this.segmentBytes);
  }

  /** What it waits for: segments on their way to holders, at most SEGMENTS_UNDER_WAY_MAX once it has waited, and holders that say what they still have. */
  get underWay(): readonly Promise<void>[] {
    return [...this.#asked, ...this.#segments.flatMap(({ sending }) => sending ?? [])];
  }

  /** Whether holders are asked for what was found. */
  get isAsking(): boolean {
    return this.#asked.size > 0;
  }

  get segments(): readonly StripeSegment[] {
    return this.#segments;
  }

  /** Waits for holders that say what they still have before it goes on. */
  ask(answer: Promise<void>): void {
    const done = answer.finally(() => this.#asked.delete(done));
    this.#asked.add(done);
  }

  /** The first segment that is not the sequence's own any more, and not with a holder either. */
  get lost(): number | undefined {
    for (let segment = 0; segment < this.#end; segment++) if (!this.#isHeld(segment)) return segment;
    return undefined;
  }

  /** Segments from 0 on that holders have. */
  get heldCount(): number {
    const first = this.#segments.findIndex(({ isHeld }) => !isHeld);
    return first === -1 ? this.#segments.length : first;
  }

  /** Its segment, which it may be that nobody has yet: of those before it are all known. */
  at(segment: number): StripeSegment {
    while (this.#segments.length <= segment) {
      const { sequenceId, first } = this;
      const next = new StripeSegment({ sequenceId, segment: this.#segments.length, first }, this.#atRest);
      next.open();
      this.#segments.push(next);
    }
    const found = this.#segments[segment];
    assert(found !== undefined, "segments follow each other");
    return found;
  }

  /** Between two steps: segments from `end` on that holders have are theirs now. Returns whether there were any. */
  advance(): boolean {
    const before = this.#end;
    while (this.#isHeld(this.#end)) this.#end += 1;
    return this.#end > before;
  }

  /** Between two steps: copies that have arrived are read from now on, and those that they were made of are let go of. */
  takeCopies(): void {
    for (const segment of this.#segments) segment.takeCopy();
  }

  /** Who has which segments before `endSegment`; undefined where one is lost. */
  shares(endSegment: number): readonly StripeShare[] | undefined {
    assert(endSegment <= this.#end, "what is read from holders was given to them");
    const shares: { holder: ContextHolder; sequenceId: string; segments: number[] }[] = [];
    for (const { holder, sequenceId, segment } of this.#segments.slice(0, endSegment)) {
      if (holder === undefined) return undefined;
      const share = shares.find((one) => one.holder === holder && one.sequenceId === sequenceId);
      if (share === undefined) shares.push({ holder, sequenceId, segments: [segment] });
      else share.segments.push(segment);
    }
    return shares;
  }

  /** It reads none of them any more: the last one is at rest first. */
  close(): void {
    this.#closed = true;
    for (const segment of [...this.#segments].reverse()) segment.close();
  }

  #isHeld(segment: number): boolean {
    return this.#segments[segment]?.isHeld === true;
  }
}
