import { assert, type ContextHolder } from "@drover/core";

/** Where a segment is: with a holder, as long as that has this life. */
export type StripePlace = Readonly<{ holder: ContextHolder; life: number }>;

/** Where the finished segments of one sequence are. Segments before {@link end} are read from their holders, later ones are its own. */
export class SequenceStripes {
  readonly sequenceId: string;
  /** The holder that is asked first for segment 0, as a count of turns: those of several sequences begin at different holders. */
  readonly first: number;
  /** Bytes that its segments may come to need in all. */
  readonly bytesMax: number;
  readonly segmentBytes: number;
  readonly #places: (StripePlace | undefined)[] = [];
  readonly #underWay = new Map<number, Promise<void>>();
  readonly #holders = new Set<ContextHolder>();
  #end = 0;
  #closed = false;

  constructor(options: Readonly<{ sequenceId: string; first: number; bytesMax: number; segmentBytes: number }>) {
    this.sequenceId = options.sequenceId;
    this.first = options.first;
    this.bytesMax = options.bytesMax;
    this.segmentBytes = options.segmentBytes;
  }

  get end(): number {
    return this.#end;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes that holders do not have yet and may come to. */
  get bytesToCome(): number {
    const placed = this.#places.filter((place) => place !== undefined).length;
    return Math.max(0, this.bytesMax - placed * this.segmentBytes);
  }

  /** Segments that are on their way to a holder. */
  get underWay(): ReadonlyMap<number, Promise<void>> {
    return this.#underWay;
  }

  /** Whether a holder has the segment, or will when all goes well. */
  isPlaced(segment: number): boolean {
    return this.#underWay.has(segment) || this.#isHeld(segment);
  }

  /** The first segment that is not the sequence's own any more, and not with a holder either. */
  get lost(): number | undefined {
    for (let segment = 0; segment < this.#end; segment++) if (!this.#isHeld(segment)) return segment;
    return undefined;
  }

  /** Waits for `put`, which says who has taken the segment, if anybody. */
  send(segment: number, put: Promise<StripePlace | undefined>): void {
    const done = put
      .then((place) => {
        if (place === undefined) return;
        this.#holders.add(place.holder);
        if (this.#closed) place.holder.drop(this.sequenceId);
        else this.#places[segment] = place;
      })
      .finally(() => this.#underWay.delete(segment));
    this.#underWay.set(segment, done);
  }

  /** Between two steps: segments from `end` on that holders have are theirs now. Returns whether there were any. */
  advance(): boolean {
    const before = this.#end;
    while (this.#isHeld(this.#end)) this.#end += 1;
    return this.#end > before;
  }

  /** How many segments before `endSegment` each holder has; undefined where one is lost. */
  shares(endSegment: number): ReadonlyMap<ContextHolder, number> | undefined {
    assert(endSegment <= this.#end, "what is read from holders was given to them");
    const shares = new Map<ContextHolder, number>();
    for (let segment = 0; segment < endSegment; segment++) {
      const place = this.#places[segment];
      if (place === undefined || !this.#isHeld(segment)) return undefined;
      shares.set(place.holder, (shares.get(place.holder) ?? 0) + 1);
    }
    return shares;
  }

  /** Holders let go of everything. */
  close(): void {
    this.#closed = true;
    for (const holder of this.#holders) holder.drop(this.sequenceId);
  }

  #isHeld(segment: number): boolean {
    const place = this.#places[segment];
    return place?.holder.connected === true && place.holder.life === place.life;
  }
}
