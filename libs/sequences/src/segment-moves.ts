import { assert, type ContextHolder, type SegmentName } from "@drover/core";
import { MOVE_PAUSE_TURNS_MAX, SEGMENTS_MOVING_MAX } from "./limits.ts";
import type { SequenceStripes } from "./sequence-stripes.ts";
import type { StripePlace, StripeSegment } from "./stripe-segment.ts";

type SegmentMovesOptions = Readonly<{
  /** The context workers that are known. */
  holders: () => readonly ContextHolder[];
  /** All that holders have. */
  segments: () => ReadonlySet<StripeSegment>;
  /** Who is to have a segment beside what is promised to sequences that are open; undefined where nobody has room. `tries`: how many have failed. */
  choose: (segment: StripeSegment, tries: number) => ContextHolder | undefined;
  /** Counts a segment's bytes on their way to a holder, or not any more. */
  count: (holder: ContextHolder, isUnderWay: boolean) => void;
  /** A segment that no open sequence reads has nowhere to go. */
  giveUp: (segment: StripeSegment) => void;
}>;

/** A holder from which segments did not get away: for how many turns it is left alone, and how often that was. */
type Pause = { turns: number; tries: number };

/** Has context workers that drain give their segments to others, a few at a time: made there before they are let go of here, and read from there between two steps. */
export class SegmentMoves {
  readonly #options: SegmentMovesOptions;
  readonly #pauses = new Map<ContextHolder, Pause>();
  #underWay = 0;

  constructor(options: SegmentMovesOptions) {
    this.#options = options;
  }

  /** One turn between two steps: what has arrived of this sequence is read there from now on, and more is sent. */
  turn(stripes: SequenceStripes): void {
    stripes.takeCopies();
    for (const pause of this.#pauses.values()) pause.turns = Math.max(0, pause.turns - 1);
    this.start();
  }

  /** Sends what there is to send: first what open sequences read. */
  start(): void {
    if (!this.#options.holders().some(({ draining, connected }) => draining && connected)) return;
    for (const isRead of [true, false])
      for (const segment of this.#options.segments())
        if (segment.readerCount > 0 === isRead && this.#underWay < SEGMENTS_MOVING_MAX) this.#startOne(segment, isRead);
  }

  #startOne(segment: StripeSegment, isRead: boolean): void {
    const from = segment.toLeave;
    if (from === undefined) return;
    const pause = this.#pauses.get(from);
    // Turns are those of open sequences: what none of them reads does not wait for any.
    if (isRead && (pause?.turns ?? 0) > 0) return;
    const target = this.#options.choose(segment, pause?.tries ?? 0);
    if (target !== undefined) void this.#move(segment, from, target);
    else if (!isRead) this.#options.giveUp(segment);
  }

  async #move(segment: StripeSegment, from: ContextHolder, target: ContextHolder): Promise<void> {
    this.#underWay += 1;
    this.#options.count(target, true);
    const hasCopy = await segment.move(copied(segment, from, target));
    this.#options.count(target, false);
    this.#underWay -= 1;
    if (hasCopy) this.#pauses.delete(from);
    else {
      this.#pause(from);
      if (segment.readerCount === 0) this.#options.giveUp(segment);
    }
    // The next one needs no step.
    this.start();
  }

  #pause(from: ContextHolder): void {
    const tries = (this.#pauses.get(from)?.tries ?? 0) + 1;
    this.#pauses.set(from, { tries, turns: Math.min(MOVE_PAUSE_TURNS_MAX, 2 ** Math.min(tries, 30)) });
  }
}

/** Where the copy is; undefined: there is none. */
async function copied(
  { sequenceId, segment }: SegmentName,
  from: ContextHolder,
  target: ContextHolder,
): Promise<StripePlace | undefined> {
  assert(from.transfer !== undefined && target.transfer !== undefined, "both move segments");
  const { life } = target;
  const fromLife = from.life;
  const isThere = await target.transfer.copy(sequenceId, segment, from.transfer.address);
  // Of a holder that has lost it meanwhile, what was read last may be another's.
  if (isThere && target.life === life && from.life === fromLife) return { holder: target, life };
  target.transfer?.drop(sequenceId, segment);
  return undefined;
}
