import type { ContextHolder, SegmentRows } from "@drover/core";
import { type KvGeometry, segmentBytes, stripedBytes, stripeHolder } from "@drover/kv";
import { SegmentMoves } from "./segment-moves.ts";
import { SequenceStripes, type StripePlace } from "./sequence-stripes.ts";

export type StripeOptions = Readonly<{
  /** Sequences that may come to have more rows than this are striped. */
  above: number;
  /** Unique among the workers that the holders know, in this life. */
  name: string;
  /** The context workers that are known, in an order that stays. */
  holders: () => readonly ContextHolder[];
}>;

/** Gives finished segments of long sequences to context workers. */
export class ContextStripes {
  readonly #options: StripeOptions;
  readonly #geometry: KvGeometry;
  readonly #segmentBytes: number;
  readonly #open = new Set<SequenceStripes>();
  /** Bytes that are on their way to each holder. */
  readonly #sending = new Map<ContextHolder, number>();
  readonly #moves: SegmentMoves;
  #count = 0;

  constructor(geometry: KvGeometry, options: StripeOptions) {
    this.#options = options;
    this.#geometry = geometry;
    this.#segmentBytes = segmentBytes(geometry);
    this.#moves = new SegmentMoves({
      holders: options.holders,
      open: this.#open,
      choose: (stripes, segment, tries) => this.#chooseOther(stripes, segment, tries),
      count: (holder, isUnderWay) => this.#countBytes(holder, isUnderWay),
    });
  }

  /** Whether a sequence that may come to have so many rows is striped: never where the holders could not take all of them, or where there are none. */
  includes(rowCount: number): boolean {
    return rowCount > this.#options.above && rowCount <= this.rowsMax;
  }

  /** Rows that fit holders beside what open sequences may come to need. */
  get rowsFree(): number {
    let bytes = this.#whole((holder) => this.#bytesFree(holder));
    for (const { bytesToCome } of this.#open) bytes -= bytesToCome;
    return this.#rows(Math.max(0, bytes));
  }

  get rowsMax(): number {
    return this.#rows(this.#whole(({ bytesMax }) => bytesMax));
  }

  /** Striped sequences that are open. */
  get openCount(): number {
    return this.#open.size;
  }

  open(rowCountMax: number): SequenceStripes {
    this.#count += 1;
    const stripes = new SequenceStripes({
      sequenceId: `${this.#options.name}/${this.#count}`,
      first: this.#count,
      bytesMax: stripedBytes(this.#geometry, rowCountMax),
      segmentBytes: this.#segmentBytes,
    });
    this.#open.add(stripes);
    return stripes;
  }

  close(stripes: SequenceStripes): void {
    this.#open.delete(stripes);
    stripes.close();
  }

  /**
   * Sends a finished segment to the holder whose turn it is, and to others where that does not take it; nothing where one has it, or none has
   * room. It stays the sequence's own meanwhile.
   */
  send(stripes: SequenceStripes, segment: number, read: () => Promise<SegmentRows>): void {
    if (stripes.isPlaced(segment) || this.#choose(stripes, segment, new Set()) === undefined) return;
    stripes.send(segment, this.#put(stripes, read));
  }

  /** Between two steps: segments of holders that are about to end go to others, as long as there is room beside what open sequences may come to need. */
  move(stripes: SequenceStripes): void {
    this.#moves.turn(stripes);
  }

  #chooseOther(stripes: SequenceStripes, segment: number, tries: number): ContextHolder | undefined {
    if (this.rowsFree < this.#geometry.segmentRows) return undefined;
    const holders = this.#holders.filter(({ draining, transfer }) => !draining && transfer !== undefined);
    const rooms = holders.map((holder) => ({ bytesFree: this.#bytesFree(holder) }));
    const index = stripeHolder(rooms, segment, stripes.first + tries, this.#segmentBytes);
    return index === undefined ? undefined : holders[index];
  }

  #countBytes(holder: ContextHolder, isUnderWay: boolean): void {
    this.#sending.set(holder, (this.#sending.get(holder) ?? 0) + (isUnderWay ? 1 : -1) * this.#segmentBytes);
  }

  async #put(stripes: SequenceStripes, read: () => Promise<SegmentRows>): Promise<StripePlace | undefined> {
    const rows = await read();
    const refused = new Set<ContextHolder>();
    while (!stripes.closed) {
      const holder = this.#choose(stripes, rows.segment, refused);
      if (holder === undefined) return undefined;
      this.#countBytes(holder, true);
      const { life } = holder;
      const taken = await holder.put(rows);
      this.#countBytes(holder, false);
      if (taken) return { holder, life };
      refused.add(holder);
    }
    return undefined;
  }

  #choose(stripes: SequenceStripes, segment: number, refused: ReadonlySet<ContextHolder>): ContextHolder | undefined {
    const holders = this.#holders;
    const rooms = holders.map((holder) => ({ bytesFree: refused.has(holder) ? 0 : this.#bytesFree(holder) }));
    const index = stripeHolder(rooms, segment, stripes.first, this.#segmentBytes);
    return index === undefined ? undefined : holders[index];
  }

  get #holders(): readonly ContextHolder[] {
    return this.#options.holders().filter(({ connected }) => connected);
  }

  #bytesFree(holder: ContextHolder): number {
    return (holder.draining ? 0 : holder.bytesFree) - (this.#sending.get(holder) ?? 0);
  }

  /** Only whole segments are of use. */
  #whole(bytesOf: (holder: ContextHolder) => number): number {
    let bytes = 0;
    for (const holder of this.#holders)
      bytes += Math.max(0, Math.floor(bytesOf(holder) / this.#segmentBytes)) * this.#segmentBytes;
    return bytes;
  }

  #rows(bytes: number): number {
    return Math.floor(bytes / this.#segmentBytes) * this.#geometry.segmentRows;
  }
}
