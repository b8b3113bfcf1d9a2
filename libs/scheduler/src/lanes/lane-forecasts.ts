import type { Clock, Lane, LaneDepth } from "@drover/core";
import { type LaneForecast, LaneWait } from "@drover/fleet";

type LanePace = { readonly wait: LaneWait; waitingCount: number };

/** How long each lane's next job will wait, from what was seen of its depth and its pace. */
export class LaneForecasts {
  readonly #clock: Clock;
  readonly #lanes = new Map<Lane, LanePace>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The queue's depths, what the lanes hold of it included. */
  note(depths: readonly LaneDepth[]): void {
    for (const { lane, waitingCount } of depths) this.#state(lane).waitingCount = waitingCount;
  }

  /** A worker has accepted a job of the lane. */
  placed(lane: Lane): void {
    const state = this.#state(lane);
    state.waitingCount = Math.max(0, state.waitingCount - 1);
    state.wait.placed(state.waitingCount, this.#clock.monotonic());
  }

  of(lane: Lane): LaneForecast {
    const { wait, waitingCount } = this.#state(lane);
    return wait.forecast(waitingCount, this.#clock.monotonic());
  }

  #state(lane: Lane): LanePace {
    const state = this.#lanes.get(lane) ?? { wait: new LaneWait(), waitingCount: 0 };
    this.#lanes.set(lane, state);
    return state;
  }
}
