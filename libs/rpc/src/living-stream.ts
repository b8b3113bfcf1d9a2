import { at, type Clock, DroverError, SaidReasons, sleepUnlessAborted } from "@drover/core";
import type { StreamLimits } from "./limits.ts";
import type { OpenStream, StreamCall } from "./stream-call.ts";

export type LivingStreamOptions<Request, Reply> = Readonly<{
  /** Where peers are reached. They are called in turn until one takes the stream. */
  addresses: readonly string[];
  open: OpenStream<Request, Reply>;
  /** What a peer hears first on every call. */
  greeting?: () => readonly Request[];
  /** The peer has the call. Where that is enough for the stream to be up, this says so: `up()`. */
  onHeaders?: () => void;
  /** A message of the peer. Where it says that the peer has taken the stream, this does: `up()`. A fault that it throws ends the call. */
  onMessage: (reply: Reply) => void;
  /** The stream is up until the signal aborts. */
  onUp?: (down: AbortSignal, address: string) => void;
  /** The stream was up and is down. */
  onDown: (reason: string, address: string) => void;
  /** A call failed before the stream was up. Told once for each reason of a spell. */
  onAway: (reason: string, address: string) => void;
  limits: StreamLimits;
  clock: Clock;
  /** Draws from [0, 1); `Math.random` unless given. */
  chance?: () => number;
}>;

const OVER = new DroverError("unavailable", "the stream is down");

/**
 * A stream that outlives its calls: it calls a peer, greets it, and calls again when the call is over, the same peer or the next, for as long
 * as it runs. It is up while a peer has taken it, which its owner knows by what the peer says. Between two calls it waits: longer with each
 * round over all peers that failed, as little as at first once it was up, and never as long as others do.
 */
export class LivingStream<Request, Reply> {
  readonly #options: LivingStreamOptions<Request, Reply>;
  readonly #saidReasons = new SaidReasons();
  #call: LiveCall<Request> | undefined;

  constructor(options: LivingStreamOptions<Request, Reply>) {
    this.#options = options;
  }

  /** A peer has taken the stream. */
  get isUp(): boolean {
    return this.#call?.isUp ?? false;
  }

  /** The call has more to send than its peer takes for now. */
  get isBlocked(): boolean {
    return this.#call?.isBlocked ?? false;
  }

  /** Of the peer that has taken the stream; undefined while it is down. */
  get address(): string | undefined {
    return this.#call?.isUp ? this.#call.address : undefined;
  }

  /** Sends a message on the call under way, be it up or only greeted. False, and nothing is written, where there is none. */
  send(request: Request): boolean {
    const call = this.#call;
    if (call === undefined) return false;
    if (!call.stream.write(request)) call.isBlocked = true;
    return true;
  }

  /** The peer has taken the stream. */
  up(): void {
    const call = this.#call;
    if (call === undefined || call.isUp) return;
    call.isUp = true;
    this.#saidReasons.clear();
    this.#options.onUp?.(call.over.signal, call.address);
  }

  /** Ends the call under way, for a reason of this side, and calls again. */
  renew(reason: string): void {
    this.#call?.end(reason);
  }

  /** Lives until the signal aborts, which ends the call at once; its end is not told then. Rejects for bugs only. */
  async run(signal: AbortSignal): Promise<void> {
    const { addresses, clock, limits, chance = Math.random } = this.#options;
    let failureCount = 0;
    for (let turn = 0; !signal.aborted; turn++) {
      const wasUp = await this.#live(at(addresses, turn % addresses.length), signal);
      if (wasUp) failureCount = 0;
      // One wait for a round over all peers, so that one that stands by does not delay finding the one that leads.
      if (!wasUp && (turn + 1) % addresses.length !== 0) continue;
      const waitMs = Math.min(limits.waitMsMax, limits.waitMs * 2 ** failureCount++);
      await sleepUnlessAborted(clock, waitMs * (1 - chance() / 2), signal);
    }
  }

  /** One call, to its end. Returns whether it was up. */
  #live(address: string, signal: AbortSignal): Promise<boolean> {
    const { open, greeting, clock, onHeaders, onMessage, onDown, onAway } = this.#options;
    return new Promise((resolve) => {
      const over = new AbortController();
      const end = (reason: string) => {
        if (over.signal.aborted) return;
        this.#call = undefined;
        over.abort(OVER);
        signal.removeEventListener("abort", leave);
        call.stream.cancel();
        if (!signal.aborted && call.isUp) onDown(reason, address);
        else if (!signal.aborted && this.#saidReasons.isNew(reason)) onAway(reason, address);
        resolve(call.isUp);
      };
      const leave = () => end("it is not needed any more");
      const stream = open(address, {
        onHeaders: () => onHeaders?.(),
        onMessage: (reply) => {
          call.heardMs = clock.monotonic();
          try {
            onMessage(reply);
          } catch (error) {
            if (!(error instanceof DroverError)) throw error;
            end(error.sentence);
          }
        },
        onDrain: () => {
          call.isBlocked = false;
        },
        onEnd: end,
      });
      const call: LiveCall<Request> = {
        address,
        stream,
        over,
        end,
        isUp: false,
        isBlocked: false,
        heardMs: clock.monotonic(),
      };
      this.#call = call;
      signal.addEventListener("abort", leave, { once: true });
      for (const request of greeting?.() ?? []) this.send(request);
      void this.#endSilent(call);
    });
  }

  /** Ends the call when its peer does not take the stream in time, or says nothing any more. */
  async #endSilent(call: LiveCall<Request>): Promise<void> {
    const { clock, limits } = this.#options;
    const { answerMsMax, silenceMsMax = Number.POSITIVE_INFINITY } = limits;
    const takenUntilMs = clock.monotonic() + answerMsMax;
    for (;;) {
      const leftMs = (call.isUp ? call.heardMs + silenceMsMax : takenUntilMs) - clock.monotonic();
      if (leftMs === Number.POSITIVE_INFINITY) return;
      if (leftMs <= 0) {
        call.end(
          call.isUp
            ? `the peer said nothing for ${silenceMsMax} ms`
            : `the peer did not answer within ${answerMsMax} ms`,
        );
        return;
      }
      await sleepUnlessAborted(clock, Math.min(leftMs, silenceMsMax), call.over.signal);
      if (call.over.signal.aborted) return;
    }
  }
}

/** The call under way. */
type LiveCall<Request> = {
  readonly address: string;
  readonly stream: StreamCall<Request>;
  /** Aborts with its end. */
  readonly over: AbortController;
  readonly end: (reason: string) => void;
  isUp: boolean;
  isBlocked: boolean;
  /** When the peer last said something, on the clock's monotonic scale. */
  heardMs: number;
};
