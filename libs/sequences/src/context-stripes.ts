import { assert, at, type ContextHolder, type SegmentName, type SegmentRows, type WantedSegment } from "@drover/core";
import { type KvGeometry, segmentBytes, stripedBytes } from "@drover/kv";
import { HolderRooms } from "./holder-rooms.ts";
import type { SegmentChain } from "./segment-chain.ts";
import { type OnFindable, type SegmentBlocks, SegmentIndex } from "./segment-index.ts";
import { SegmentMoves } from "./segment-moves.ts";
import { SequenceStripes } from "./sequence-stripes.ts";
import { type StripePlace, StripeSegment } from "./stripe-segment.ts";

export type StripeOptions = Readonly<{
  /** Sequences that may come to have more rows than this are striped. */
  above: number;
  /** Whether finished segments stay for sequences to come, where prefixes are cached; unless true, they go with their sequence. */
  keeps?: boolean;
  /** Unique among the workers that the holders know, in this life. */
  name: string;
  /** The context workers that are known, in an order that stays. */
  holders: () => readonly ContextHolder[];
}>;

/** How a striped sequence begins: the names of its segments, and how many segments at most need not be computed. */
export type StripedPrompt = Readonly<{ chain: SegmentChain; reusedMax: number }>;

/** Gives finished segments of long sequences to context workers, and finds them again for sequences that begin alike. */
export class ContextStripes {
  readonly #options: StripeOptions;
  readonly #geometry: KvGeometry;
  readonly #segmentBytes: number;
  readonly #open = new Map<SequenceStripes, SegmentChain | undefined>();
  /** All that holders have, or that is on its way there. */
  readonly #segments = new Set<StripeSegment>();
  readonly #index: SegmentIndex;
  /** Kept segments of which it is asked whether they are still there. */
  readonly #asked = new Map<StripeSegment, Promise<void>>();
  readonly #rooms: HolderRooms;
  readonly #moves: SegmentMoves;
  #count = 0;

  constructor(geometry: KvGeometry, options: StripeOptions, onFindable: OnFindable = () => undefined) {
    this.#options = options;
    this.#geometry = geometry;
    this.#segmentBytes = segmentBytes(geometry);
    this.#index = new SegmentIndex(onFindable);
    this.#rooms = new HolderRooms(geometry, options.holders);
    this.#moves = new SegmentMoves({
      holders: options.holders,
      segments: () => this.#segments,
      choose: (segment, tries) => this.#chooseOther(segment, tries),
      count: (holder, isUnderWay) => this.#rooms.count(holder, isUnderWay),
      giveUp: (segment) => this.#forget(segment),
    });
  }

  /** Whether a sequence that may come to have so many rows is striped: never where the holders could not take all of them, or where there are none. */
  includes(rowCount: number): boolean {
    return rowCount > this.#options.above && rowCount <= this.rowsMax;
  }

  /** Rows that fit holders beside what open sequences may come to need. What is only kept gives way. */
  get rowsFree(): number {
    let bytes = this.#rooms.bytesFree;
    for (const { bytesToCome } of this.#open.keys()) bytes -= bytesToCome;
    return this.#rooms.rows(Math.max(0, bytes));
  }

  get rowsMax(): number {
    return this.#rooms.rowsMax;
  }

  /** Striped sequences that are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Opens a sequence behind the segments that holders have of its prompt. Without one nothing is found, and nothing stays. */
  open(rowCountMax: number, prompt?: StripedPrompt): SequenceStripes {
    this.sweep();
    this.#count += 1;
    const own = { sequenceId: `${this.#options.name}/${this.#count}`, first: this.#count };
    const atRest = (segment: StripeSegment) => this.#rest(segment);
    const found = (prompt === undefined ? [] : this.#find(prompt)).map(
      (segment, number) => segment ?? new StripeSegment({ ...own, segment: number }, atRest),
    );
    const asked = this.#use(found);
    const bytes = { bytesMax: stripedBytes(this.#geometry, rowCountMax), segmentBytes: this.#segmentBytes };
    const stripes = new SequenceStripes({ ...own, ...bytes, found, atRest });
    for (const answer of asked) stripes.ask(answer);
    this.#open.set(stripes, prompt?.chain);
    return stripes;
  }

  close(stripes: SequenceStripes): void {
    this.#open.delete(stripes);
    stripes.close();
    this.#moves.start();
  }

  /**
   * Sends a finished segment to the holder whose turn it is, and to others where that does not take it; nothing where one has it, or none has
   * room. It stays the sequence's own meanwhile.
   */
  send(stripes: SequenceStripes, segment: number, read: () => Promise<SegmentRows>): void {
    this.#takeGone();
    const one = stripes.at(segment);
    if (one.isPlaced || this.#rooms.choose({ segment, first: stripes.first }, new Set()) === undefined) return;
    this.#segments.add(one);
    const blocks = this.#open.get(stripes)?.blocksOf(segment);
    void one.send(this.#put(stripes, segment, read, blocks?.at(-1)), () => this.#findable(one, blocks));
  }

  /**
   * Takes over what holders have of a prompt and nobody reads, of attention workers that gave it up or have gone; undefined where there is nothing to ask for. Resolves to whether
   * it is worth asking again soon: somebody still reads some of it.
   */
  takeOver({ chain, reusedMax }: StripedPrompt): Promise<boolean> | undefined {
    this.#takeGone();
    const wanted: WantedSegment[] = [];
    for (let segment = 0; segment < reusedMax; segment++) {
      const prefix = chain.prefixOf(segment);
      if (prefix !== undefined && this.#index.find(prefix) === undefined) wanted.push({ segment, prefix });
    }
    const holders = this.#rooms.holders.filter(({ keeping, draining }) => keeping !== undefined && !draining);
    if (wanted.length === 0 || holders.length === 0) return undefined;
    this.#count += 1;
    const own = { sequenceId: `${this.#options.name}/${this.#count}`, first: this.#count };
    return Promise.all(holders.map((holder) => this.#take(holder, own, chain, wanted))).then((later) =>
      later.includes(true),
    );
  }

  async #take(
    holder: ContextHolder,
    own: Readonly<{ sequenceId: string; first: number }>,
    chain: SegmentChain,
    wanted: readonly WantedSegment[],
  ): Promise<boolean> {
    assert(holder.keeping !== undefined, "who is asked for what it keeps keeps something");
    const { life } = holder;
    const { held, later } = await holder.keeping.take(own.sequenceId, wanted);
    // Nobody reads them yet: the holder keeps them, the last one of a chain the shortest.
    for (const segment of [...held].reverse()) {
      const one = new StripeSegment({ ...own, segment }, (rested) => this.#rest(rested));
      this.#segments.add(one);
      await one.send(Promise.resolve({ holder, life }), () => this.#findable(one, chain.blocksOf(segment)));
    }
    return later;
  }

  /** Others that begin alike find it from now on. */
  #findable(segment: StripeSegment, blocks: SegmentBlocks | undefined): void {
    if (blocks !== undefined && segment.holder?.keeping !== undefined) this.#index.add(segment, blocks);
  }

  /** Between two steps: segments of holders that are about to end go to others, as long as there is room beside what open sequences may come to need. */
  move(stripes: SequenceStripes): void {
    this.#moves.turn(stripes);
  }

  /** Other holders are known, or some are about to end: what no open sequence reads leaves these too. */
  holdersChanged(): void {
    this.sweep();
    this.#moves.start();
  }

  /** What holders have lost or let go of is not found any more. */
  sweep(): void {
    this.#takeGone();
    for (const segment of this.#segments) {
      if (segment.isPlaced) continue;
      this.#index.remove(segment);
      this.#segments.delete(segment);
    }
  }

  #takeGone(): void {
    for (const holder of this.#options.holders()) {
      const gone = holder.keeping?.takeGone() ?? [];
      if (gone.length === 0) continue;
      const names = new Set(gone.map(nameOf));
      for (const segment of this.#segments)
        if (segment.holder === holder && names.has(nameOf(segment))) this.#lose(segment);
    }
  }

  #lose(segment: StripeSegment): void {
    segment.lose();
    this.#index.remove(segment);
    this.#segments.delete(segment);
  }

  /** The segments that a prompt begins with, as far as it is worth it: what is missing between (undefined) is computed again one by one, and is never the most. */
  #find({ chain, reusedMax }: StripedPrompt): readonly (StripeSegment | undefined)[] {
    const found: (StripeSegment | undefined)[] = [];
    let [end, gain] = [0, 0];
    for (let segment = 0; segment < reusedMax && this.#index.size > 0; segment++) {
      const prefix = chain.prefixOf(segment);
      if (prefix === undefined) break;
      const one = this.#index.find(prefix);
      found.push(one);
      gain += one === undefined ? -1 : 1;
      if (one !== undefined && gain > 0) end = segment + 1;
    }
    return found.slice(0, end);
  }

  /** Holders keep for open sequences what they have kept for those to come; what they have not any more is lost. */
  #use(found: readonly StripeSegment[]): readonly Promise<void>[] {
    const answers = new Set(found.flatMap((segment) => this.#asked.get(segment) ?? []));
    const kept = found.filter(({ isHeld, readerCount }) => isHeld && readerCount === 0);
    for (const segments of Map.groupBy(
      kept,
      ({ holder, sequenceId }) => `${holder?.workerId} ${sequenceId}`,
    ).values()) {
      const answer = this.#ask(segments);
      answers.add(answer);
      for (const segment of segments) this.#asked.set(segment, answer);
      void answer.finally(() => {
        for (const segment of segments) if (this.#asked.get(segment) === answer) this.#asked.delete(segment);
      });
    }
    return [...answers];
  }

  /** Asks one holder for segments of one name. */
  async #ask(segments: readonly StripeSegment[]): Promise<void> {
    const { holder, sequenceId } = at(segments, 0);
    assert(holder?.keeping !== undefined, "who keeps something has said that it does");
    // What is read is not free any more, which the holder has yet to say.
    for (const _ of segments) this.#rooms.count(holder, true);
    const numbers = segments.map(({ segment }) => segment);
    const held = new Set(await holder.keeping.use(sequenceId, numbers));
    for (const _ of segments) this.#rooms.count(holder, false);
    this.#takeGone();
    for (const segment of segments)
      if (!held.has(segment.segment) && segment.holder === holder) {
        // It may be there after all, and the answer was lost.
        segment.letGo();
        this.#lose(segment);
      }
  }

  /** Nobody reads it, and nothing of it is under way: it is kept where it can be found, for as long as its holder has room. */
  #rest(segment: StripeSegment): void {
    const keeping = this.#index.has(segment) ? segment.holder?.keeping : undefined;
    if (keeping === undefined) this.#forget(segment);
    else keeping.keep(segment.sequenceId, segment.segment);
  }

  #forget(segment: StripeSegment): void {
    this.#index.remove(segment);
    this.#segments.delete(segment);
    segment.letGo();
  }

  #chooseOther(segment: StripeSegment, tries: number): ContextHolder | undefined {
    if (this.rowsFree < this.#geometry.segmentRows) return undefined;
    return this.#rooms.chooseOther(segment, tries, segment.readerCount > 0);
  }

  async #put(
    stripes: SequenceStripes,
    segment: number,
    read: () => Promise<SegmentRows>,
    prefix: string | undefined,
  ): Promise<StripePlace | undefined> {
    const rows = await read();
    const { sequenceId } = stripes.at(segment);
    const refused = new Set<ContextHolder>();
    while (!stripes.closed) {
      const holder = this.#rooms.choose({ segment, first: stripes.first }, refused);
      if (holder === undefined) return undefined;
      this.#rooms.count(holder, true);
      const { life } = holder;
      const taken = await holder.put({ ...rows, sequenceId, segment, prefix });
      this.#rooms.count(holder, false);
      if (taken) return { holder, life };
      refused.add(holder);
    }
    return undefined;
  }
}

const nameOf = ({ sequenceId, segment }: SegmentName): string => `${segment} ${sequenceId}`;
