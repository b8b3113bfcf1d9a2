import { assert, at } from "@drover/core";
import type { SimClock } from "@drover/testkit";
import type { OpenStream, StreamListener } from "../stream-call.ts";

/** One call as the peers see it; the test speaks and ends for them. */
export type SimCall<Request, Reply> = {
  readonly address: string;
  readonly openedMs: number;
  readonly written: Request[];
  readonly listener: StreamListener<Reply>;
  /** What the next write answers: whether there is room for more. */
  hasRoom: boolean;
  cancelled: boolean;
};

/** Peers without a network, in simulated time: every call is kept, and answers nothing by itself. */
export class SimPeers<Request, Reply> {
  readonly calls: SimCall<Request, Reply>[] = [];
  readonly #clock: SimClock;
  /** Why peers refuse every call as soon as it is made; undefined while they take them. */
  refusal: string | undefined;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  get last(): SimCall<Request, Reply> {
    return at(this.calls, this.calls.length - 1);
  }

  readonly open: OpenStream<Request, Reply> = (address, listener) => {
    const openedMs = this.#clock.monotonic();
    const call: SimCall<Request, Reply> = { address, openedMs, written: [], listener, hasRoom: true, cancelled: false };
    this.calls.push(call);
    const { refusal } = this;
    if (refusal !== undefined) queueMicrotask(() => listener.onEnd(refusal));
    return {
      write: (request) => {
        assert(!call.cancelled, "nothing is written to a call that is over");
        call.written.push(request);
        return call.hasRoom;
      },
      cancel: () => {
        call.cancelled = true;
      },
    };
  };
}
