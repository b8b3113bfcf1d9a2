import type { ContextHolder } from "@drover/core";
import { type KvGeometry, segmentBytes, stripeHolder } from "@drover/kv";

/** Whose turn a segment is: see {@link stripeHolder}. */
type Turn = Readonly<{ segment: number; first: number }>;

/** What context workers have room for, as far as this worker knows: what they say is free, less what is on its way there. */
export class HolderRooms {
  readonly #geometry: KvGeometry;
  readonly #all: () => readonly ContextHolder[];
  readonly #segmentBytes: number;
  /** Bytes that are on their way to each holder. */
  readonly #sending = new Map<ContextHolder, number>();

  constructor(geometry: KvGeometry, all: () => readonly ContextHolder[]) {
    this.#geometry = geometry;
    this.#all = all;
    this.#segmentBytes = segmentBytes(geometry);
  }

  /** Those that are there. */
  get holders(): readonly ContextHolder[] {
    return this.#all().filter(({ connected }) => connected);
  }

  /** Bytes of whole segments that they have room for. What is only kept gives way. */
  get bytesFree(): number {
    return this.#whole((holder) => this.#bytesFree(holder));
  }

  /** Rows that they could take were they empty. */
  get rowsMax(): number {
    return this.rows(this.#whole(({ bytesMax }) => bytesMax));
  }

  /** Rows of whole segments that have so many bytes. */
  rows(bytes: number): number {
    return Math.floor(bytes / this.#segmentBytes) * this.#geometry.segmentRows;
  }

  /** A segment's bytes are on their way to a holder, or not any more. */
  count(holder: ContextHolder, isUnderWay: boolean): void {
    this.#sending.set(holder, (this.#sending.get(holder) ?? 0) + (isUnderWay ? 1 : -1) * this.#segmentBytes);
  }

  /** Who is to have a segment; undefined where nobody has room. */
  choose({ segment, first }: Turn, refused: ReadonlySet<ContextHolder>): ContextHolder | undefined {
    const { holders } = this;
    const rooms = holders.map((holder) => ({ bytesFree: refused.has(holder) ? 0 : this.#bytesFree(holder) }));
    const index = stripeHolder(rooms, segment, first, this.#segmentBytes);
    return index === undefined ? undefined : holders[index];
  }

  /** Who is to have a segment of a holder that is about to end. What is only kept makes no other one go that is only kept too. */
  chooseOther({ segment, first }: Turn, tries: number, isRead: boolean): ContextHolder | undefined {
    const holders = this.holders.filter(({ draining, transfer }) => !draining && transfer !== undefined);
    const rooms = holders.map((holder) => ({
      bytesFree: this.#bytesFree(holder) - (isRead ? 0 : (holder.keeping?.bytesKept ?? 0)),
    }));
    const index = stripeHolder(rooms, segment, first + tries, this.#segmentBytes);
    return index === undefined ? undefined : holders[index];
  }

  #bytesFree(holder: ContextHolder): number {
    return (holder.draining ? 0 : holder.bytesFree) - (this.#sending.get(holder) ?? 0);
  }

  /** Only whole segments are of use. */
  #whole(bytesOf: (holder: ContextHolder) => number): number {
    let bytes = 0;
    for (const holder of this.holders)
      bytes += Math.max(0, Math.floor(bytesOf(holder) / this.#segmentBytes)) * this.#segmentBytes;
    return bytes;
  }
}
