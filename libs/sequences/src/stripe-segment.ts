import type { ContextHolder, SegmentName } from "@drover/core";

/** Where a segment is: with a holder, as long as that has this life. */
export type StripePlace = Readonly<{ holder: ContextHolder; life: number }>;

/** What a segment tells when nobody reads it any more and nothing of it is under way: whoever has given it away says whether it stays. */
type AtRest = (segment: StripeSegment) => void;

/** One finished segment of global rows that context workers keep: which one has it, and how many open sequences read it. It never changes, so several may. */
export class StripeSegment implements SegmentName {
  /** What holders know it by, with its number: the sequence that has computed it. */
  readonly sequenceId: string;
  readonly segment: number;
  /** Whose turn segment 0 of its sequence is: see {@link stripeHolder}. */
  readonly first: number;
  readonly #atRest: AtRest;
  #place: StripePlace | undefined;
  #sending: Promise<void> | undefined;
  /** A copy for another holder is made, and with it where it has arrived. */
  #copy: Readonly<{ place: StripePlace | undefined }> | undefined;
  #readerCount = 0;

  constructor({ sequenceId, segment, first }: SegmentName & Readonly<{ first: number }>, atRest: AtRest) {
    this.first = first;
    this.sequenceId = sequenceId;
    this.segment = segment;
    this.#atRest = atRest;
  }

  /** Whether a holder has it. */
  get isHeld(): boolean {
    return isAlive(this.#place);
  }

  /** Whether a holder has it, or will when all goes well. */
  get isPlaced(): boolean {
    return this.#sending !== undefined || this.isHeld;
  }

  /** Who has it. */
  get holder(): ContextHolder | undefined {
    return isAlive(this.#place) ? this.#place?.holder : undefined;
  }

  /** Open sequences that read it. */
  get readerCount(): number {
    return this.#readerCount;
  }

  /** On its way to a holder. */
  get sending(): Promise<void> | undefined {
    return this.#sending;
  }

  /** Who has it and is about to end, where no copy is made of it yet. */
  get toLeave(): ContextHolder | undefined {
    const { holder } = this;
    return holder?.draining === true && holder.transfer !== undefined && this.#copy === undefined ? holder : undefined;
  }

  /** One more open sequence reads it. */
  open(): void {
    this.#readerCount += 1;
  }

  /** One open sequence reads it no more. */
  close(): void {
    this.#readerCount -= 1;
    this.#settle();
  }

  /** Waits for `put`, which says who has taken it, if anybody; then `onHeld` is told. */
  send(put: Promise<StripePlace | undefined>, onHeld: () => void = () => undefined): Promise<void> {
    this.#sending = put
      .then((place) => {
        if (place === undefined) return;
        this.#place = place;
        onHeld();
      })
      .finally(() => {
        this.#sending = undefined;
        this.#settle();
      });
    return this.#sending;
  }

  /** Waits for `copy`, which says who has a copy, if anybody. Resolves to whether anybody has. It is not read before {@link takeCopy}. */
  async move(copy: Promise<StripePlace | undefined>): Promise<boolean> {
    this.#copy = { place: undefined };
    const place = await copy;
    this.#copy = place && { place };
    this.#settle();
    return place !== undefined;
  }

  /** Between two steps: a copy that has arrived is read from now on, and the holder that it was made of lets go of its own. */
  takeCopy(): void {
    const place = this.#copy?.place;
    if (place === undefined) return;
    this.#copy = undefined;
    if (!isAlive(place)) return;
    if (this.holder !== place.holder) this.letGo();
    this.#place = place;
  }

  /** Its holder has it no more. */
  lose(): void {
    this.#place = undefined;
  }

  /** Its holder lets go of it. */
  letGo(): void {
    const { holder } = this;
    this.#place = undefined;
    if (holder?.transfer !== undefined) holder.transfer.drop(this.sequenceId, this.segment);
    // Where nothing moves, what was computed under one name goes together.
    else holder?.drop(this.sequenceId);
  }

  #settle(): void {
    if (this.#readerCount > 0) return;
    this.takeCopy();
    if (this.#sending === undefined && this.#copy === undefined) this.#atRest(this);
  }
}

/** Whether the holder is there, and in the life in which it got the segment. */
function isAlive(place: StripePlace | undefined): boolean {
  return place?.holder.connected === true && place.holder.life === place.life;
}
