import { create } from "@bufbuild/protobuf";
import { DroverError, errorCode, type TraceContext, TransientMap } from "@drover/core";
import { type CarriedCall, CarriedCallSchema, type CarriedReply } from "@drover/proto";
import type { ClientDuplexStream, ServiceError } from "@grpc/grpc-js";
import { fromServiceError } from "../errors.ts";
import { CARRIED_BYTES_MAX, CARRIED_CALLS_MAX, CARRY_AGAIN_MS } from "../limits.ts";

type Stream = ClientDuplexStream<CarriedCall, CarriedReply>;

/** A call that is not answered; its answer is undefined where no handler has seen it, or ever will. */
type Waiting = Readonly<{ answer: (reply: Uint8Array | undefined) => void; fail: (error: DroverError) => void }>;

const ID_MAX = 2 ** 32 - 1;

/**
 * The calls of one connection that go over one stream, which is opened with the first of them and again once it is over. Where it is not up, has no room or
 * is not served, nothing is carried, and each call is made as one of its own.
 */
export class CarriedCalls implements Disposable {
  readonly #open: () => Stream;
  readonly #now: () => number;
  readonly #waiting = new TransientMap<number, Waiting>();
  #stream: Stream | undefined;
  #isUp = false;
  #isBlocked = false;
  #openAgainMs = Number.NEGATIVE_INFINITY;
  #lastId = 0;

  /** `now`: of a monotonic clock, milliseconds. */
  constructor(open: () => Stream, now: () => number = () => performance.now()) {
    this.#open = open;
    this.#now = now;
  }

  /**
   * The bytes of a method's reply to those of a request. Undefined, at once or in the end: the peer has not seen the call, and it is to be made in another way.
   * Errors: the peer's DroverError, `unavailable` when the connection is lost; the signal's reason.
   */
  carry(
    path: string,
    request: Uint8Array,
    signal: AbortSignal,
    trace: TraceContext | undefined,
  ): Promise<Uint8Array | undefined> | undefined {
    const stream = this.#takingStream();
    if (stream === undefined || request.byteLength > CARRIED_BYTES_MAX) return undefined;
    signal.throwIfAborted();
    this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.take(id);
        reject(signal.reason);
        if (this.#stream === stream) this.#write(stream, create(CarriedCallSchema, { id }));
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.set(id, {
        answer: (reply) => {
          signal.removeEventListener("abort", leave);
          resolve(reply);
        },
        fail: (error) => {
          signal.removeEventListener("abort", leave);
          reject(error);
        },
      });
      this.#write(stream, create(CarriedCallSchema, { id, path, request, ...trace }));
    });
  }

  /** Ends the stream; what is not answered fails with `unavailable`. */
  [Symbol.dispose](): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#over(stream, new DroverError("unavailable", "the connection was closed"));
    stream.cancel();
  }

  /** The stream, where it takes one more call; opens it where it is time to. */
  #takingStream(): Stream | undefined {
    if (this.#stream === undefined && this.#now() >= this.#openAgainMs) this.#begin();
    return this.#isUp && !this.#isBlocked && this.#waiting.size < CARRIED_CALLS_MAX ? this.#stream : undefined;
  }

  #begin(): void {
    const stream = this.#open();
    this.#stream = stream;
    stream.on("metadata", () => {
      if (this.#stream === stream) this.#isUp = true;
    });
    stream.on("data", (reply: CarriedReply) => this.#take(reply));
    stream.on("drain", () => {
      if (this.#stream === stream) this.#isBlocked = false;
    });
    stream.on("end", () => this.#over(stream, undefined));
    stream.on("error", (error: ServiceError) => this.#over(stream, lost(error)));
  }

  #write(stream: Stream, call: CarriedCall): void {
    if (!stream.write(call)) this.#isBlocked = true;
  }

  #take(carried: CarriedReply): void {
    const waiting = this.#waiting.take(carried.id);
    if (carried.errorCode === "") waiting?.answer(carried.reply);
    else waiting?.fail(faultOf(carried));
  }

  #over(stream: Stream, fault: DroverError | undefined): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    this.#isUp = false;
    this.#isBlocked = false;
    this.#openAgainMs = this.#now() + CARRY_AGAIN_MS;
    for (const waiting of this.#waiting.takeAll()) {
      if (fault === undefined) waiting.answer(undefined);
      else waiting.fail(fault);
    }
  }
}

/** Nobody here has cancelled it: the other side has dropped it, as it does with what it gives up. */
function faultOf({ errorCode: code, error, errorField: field, retryAfterMs }: CarriedReply): DroverError {
  const sent = errorCode(code);
  if (sent === "cancelled") return new DroverError("unavailable", `the peer dropped the call: ${error}`);
  return new DroverError(sent, error, {
    ...(field !== "" && { field }),
    ...(retryAfterMs > 0n && { retryAfterMs: Number(retryAfterMs) }),
  });
}

/** Of what was under way. */
function lost(error: ServiceError): DroverError {
  const { message } = fromServiceError(error);
  return new DroverError("unavailable", `the stream of calls is lost: ${message}`, { cause: error });
}
