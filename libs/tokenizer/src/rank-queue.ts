import { RankHeap } from "./rank-heap.ts";

/** Positions of one rank, ascending. */
type RankLane = { positions: Int32Array; head: number; count: number };

const LANE_ROOM_MIN = 4;

/**
 * A priority queue by (rank, position) for merging from left to right: positions of a rank come nearly always in ascending order and then cost
 * nothing but their place; the few others go through a heap. What was popped last is in `rank` and `position`.
 */
export class RankQueue {
  rank = 0;
  position = 0;
  readonly #lanes = new Map<number, RankLane>();
  /** Ranks whose lanes have positions. */
  readonly #ranks = new RankHeap(16);
  readonly #strays = new RankHeap(16);

  push(rank: number, position: number): void {
    let lane = this.#lanes.get(rank);
    if (lane === undefined) {
      lane = { positions: new Int32Array(LANE_ROOM_MIN), head: 0, count: 0 };
      this.#lanes.set(rank, lane);
    }
    if (lane.head === lane.count) {
      lane.head = 0;
      lane.count = 0;
      this.#ranks.push(rank, 0);
    } else if (position < (lane.positions[lane.count - 1] ?? 0)) {
      this.#strays.push(rank, position);
      return;
    }
    if (lane.count === lane.positions.length) {
      const grown = new Int32Array(2 * lane.count);
      grown.set(lane.positions);
      lane.positions = grown;
    }
    lane.positions[lane.count++] = position;
  }

  /** Takes the least; false when there is none. */
  pop(): boolean {
    const lane = this.#ranks.peek() ? this.#lanes.get(this.#ranks.rank) : undefined;
    const next = lane?.positions[lane.head] ?? 0;
    const hasStray = this.#strays.peek();
    if (lane === undefined && !hasStray) return false;
    const { rank, position } = this.#strays;
    const isStray =
      hasStray && (lane === undefined || rank < this.#ranks.rank || (rank === this.#ranks.rank && position < next));
    if (isStray || lane === undefined) {
      this.#strays.pop();
      this.rank = rank;
      this.position = position;
      return true;
    }
    this.rank = this.#ranks.rank;
    this.position = next;
    lane.head += 1;
    if (lane.head === lane.count) this.#ranks.pop();
    return true;
  }
}
