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
  /** Copies of segments that are on their way to another holder, and with it where they have arrived. */
  readonly #copies = new Map<number, StripePlace | undefined>();
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

  /** A segment that a holder has which is about to end, and of which no copy is made; and that holder. */
  get toMove(): Readonly<{ segment: number; from: ContextHolder }> | undefined {
    for (const [segment, place] of this.#places.entries()) {
      const isMovable = place?.holder.draining === true && place.holder.transfer !== undefined;
      if (isMovable && this.#isHeld(segment) && !this.#copies.has(segment)) return { segment, from: place.holder };
    }
    return undefined;
  }

  /** Waits for `copy`, which says who has a copy of the segment, if anybody. Resolves to whether anybody has. It is not read before {@link takeCopies}. */
  async move(segment: number, copy: Promise<StripePlace | undefined>): Promise<boolean> {
    this.#copies.set(segment, undefined);
    const place = await copy;
    if (place === undefined) this.#copies.delete(segment);
    else if (this.#closed) place.holder.drop(this.sequenceId);
    else {
      this.#holders.add(place.holder);
      this.#copies.set(segment, place);
    }
    return place !== undefined;
  }

  /** Between two steps: copies that have arrived are read from now on, and those that they were made of are let go of. */
  takeCopies(): void {
    for (const [segment, copy] of this.#copies) {
      if (copy === undefined) continue;
      this.#copies.delete(segment);
      const before = this.#places[segment];
      if (!isAlive(copy)) continue;
      this.#places[segment] = copy;
      if (before !== undefined && before.holder !== copy.holder && isAlive(before))
        before.holder.transfer?.drop(this.sequenceId, segment);
    }
  }

  /** Which segments before `endSegment` each holder has, rising; undefined where one is lost. */
  shares(endSegment: number): ReadonlyMap<ContextHolder, readonly number[]> | undefined {
    assert(endSegment <= this.#end, "what is read from holders was given to them");
    const shares = new Map<ContextHolder, number[]>();
    for (let segment = 0; segment < endSegment; segment++) {
      const place = this.#places[segment];
      if (place === undefined || !this.#isHeld(segment)) return undefined;
      const share = shares.get(place.holder);
      if (share === undefined) shares.set(place.holder, [segment]);
      else share.push(segment);
    }
    return shares;
  }

  /** Holders let go of everything. */
  close(): void {
    this.#closed = true;
    for (const holder of this.#holders) holder.drop(this.sequenceId);
  }

  #isHeld(segment: number): boolean {
    return isAlive(this.#places[segment]);
  }
}

/** Whether the holder is there, and in the life in which it got the segment. */
function isAlive(place: StripePlace | undefined): boolean {
  return place?.holder.connected === true && place.holder.life === place.life;
}
