import type { IncomingMessage } from "node:http";
import { availableParallelism } from "node:os";
import { assert, DroverError, type Logger } from "@drover/core";
import type { KeptNames, KeptParts } from "@drover/openai";
import { ThreadPool } from "@drover/threads";
import {
  BODY_BYTES_MAX,
  BODY_QUEUE_MAX,
  BODY_READ_MS_MAX,
  BODY_THREAD_HEAP_MB,
  INLINE_BODY_BYTES_MAX,
} from "../limits.ts";
import { BodyBlocks, joined } from "./body-blocks.ts";
import { BodyBudget, type BodyHold } from "./body-budget.ts";
import type { BodyRequest } from "./body-messages.ts";
import { type BodyContext, type FactsByModel, type ReadBody, readBody } from "./read-body.ts";
import { BODY_TIMES, type BodyTimes, receiveBody } from "./receive-body.ts";

/** How much may come and how long it may take; the limits of `limits.ts` where nothing is said. */
export type BodyLimits = Readonly<{
  budget?: BodyBudget;
  /** Of one body. */
  bytesMax?: number;
  times?: BodyTimes;
  /** Larger ones are read on a thread. */
  inlineBytesMax?: number;
  /** Whether the threads start before the first body that needs one, which then does not wait for them. */
  startsAtOnce?: boolean;
}>;

export type BodiesOptions = BodyLimits &
  Readonly<{
    logger: Logger;
    /** Of the served models, as things stand. */
    facts: () => FactsByModel;
  }>;

const READER = new URL("./body-thread.ts", import.meta.url);

/** A body that has come, and its part of the budget until it is disposed of. */
export type ReceivedBody = Disposable & Readonly<{ blocks: BodyBlocks }>;

/** A body as its route has read it. */
export type BodyAnswer<T> = Readonly<{
  /** The name of the model that it is for; undefined where it names none. */
  model: string | undefined;
  /** What it asks for. Errors: those of its reader. */
  query: () => T;
}>;

/** Looks for what is kept of a model's responses. */
type KeptFor = (model: string | undefined, names: KeptNames) => Promise<KeptParts>;

/** What `Bodies.receive` made of a request's body, where it has one. */
export function receivedBody({ body }: Readonly<{ body: unknown }>): ReceivedBody {
  if (body !== undefined && body !== null) return body as ReceivedBody;
  const blocks = new BodyBlocks();
  blocks.append(Buffer.from("null"));
  return { blocks, [Symbol.dispose]: () => undefined };
}

/** The bodies of HTTP requests and the messages of gRPC's: how many bytes come at once, how long they may take, and that reading them holds nobody up. */
export class Bodies implements AsyncDisposable {
  readonly #options: BodiesOptions;
  readonly #budget: BodyBudget;
  readonly #pool: ThreadPool<BodyRequest, ReadBody>;
  /** Of messages that were counted as they came: takes over what counts them; undefined where their call is over. */
  readonly #given = new WeakMap<Uint8Array, () => BodyHold | undefined>();

  constructor(options: BodiesOptions) {
    this.#options = options;
    this.#budget = options.budget ?? new BodyBudget();
    this.#pool = new ThreadPool({
      program: READER,
      settings: undefined,
      resourceLimits: { maxOldGenerationSizeMb: BODY_THREAD_HEAP_MB },
      noun: "body",
      threads: Math.min(2, availableParallelism()),
      queueMax: BODY_QUEUE_MAX,
      runMsMax: BODY_READ_MS_MAX,
      onLoss: (event, reason) => options.logger.warn(`bodies.${event}`, { reason }),
    });
    if (options.startsAtOnce === true)
      this.#pool.start().catch((error: Error) => options.logger.warn("bodies.start_failed", { reason: error.message }));
  }

  /** Bytes that one body may have. */
  get bytesMax(): number {
    return this.#options.bytesMax ?? BODY_BYTES_MAX;
  }

  /** Bytes that one may be counted with. */
  get heldBytesMax(): number {
    return Math.min(this.bytesMax, this.#budget.largeBytesMax);
  }

  get times(): BodyTimes {
    return this.#options.times ?? BODY_TIMES;
  }

  /** Opens the account of what comes by another way than `receive`. */
  hold(): BodyHold {
    return this.#budget.hold();
  }

  /** Receives a request's body. Errors: those of `receiveBody`. */
  async receive(request: IncomingMessage): Promise<ReceivedBody> {
    const hold = this.hold();
    try {
      const blocks = await receiveBody(request, hold, this.times, this.bytesMax);
      return { blocks, [Symbol.dispose]: () => hold[Symbol.dispose]() };
    } catch (error) {
      hold[Symbol.dispose]();
      throw error;
    }
  }

  /** A message that was counted as it came is with who handles it; `take` takes over what counts it. */
  give(bytes: Uint8Array, holdOf: () => BodyHold | undefined): void {
    this.#given.set(bytes, holdOf);
  }

  /** Takes a message that has come whole, against the same budget. Errors: those of its hold. */
  take(bytes: Uint8Array): ReceivedBody {
    const hold = this.#given.get(bytes)?.() ?? this.hold();
    this.#given.delete(bytes);
    hold.become(bytes.byteLength);
    return { blocks: BodyBlocks.of(bytes), [Symbol.dispose]: () => hold[Symbol.dispose]() };
  }

  /**
   * Reads a body as the route of this path does; its blocks are used up. `keptFor` looks for what it names of kept responses. Errors:
   * `invalid_argument` for what is no JSON or too much of it, `deadline_exceeded` for what takes too long, `overloaded` when too many wait, and
   * the signal's reason.
   */
  async read<T>(
    { blocks }: ReceivedBody,
    path: string,
    signal: AbortSignal,
    keptFor: KeptFor = async () => ({ previous: undefined, items: new Map() }),
  ): Promise<BodyAnswer<T>> {
    const packs = blocks.byteLength > (this.#options.inlineBytesMax ?? INLINE_BODY_BYTES_MAX);
    const read = (parts: BodyRequest["blocks"], kept: KeptParts | undefined) =>
      this.#read(parts, { path, facts: this.#options.facts(), kept, packs }, signal);
    const first = await read(blocks.blocks, undefined);
    if (first.outcome.kind !== "continues") return answerOf(first);
    const { names, bytes } = first.outcome;
    return answerOf(await read([bytes], await keptFor(first.model, names)));
  }

  async #read(blocks: BodyRequest["blocks"], context: BodyContext, signal: AbortSignal): Promise<ReadBody> {
    signal.throwIfAborted();
    if (!context.packs) {
      const read = readBody(joined(blocks), context);
      return read.outcome.kind === "deferred" ? this.#read(blocks, { ...context, packs: true }, signal) : read;
    }
    const byteLength = blocks.reduce((sum, block) => sum + block.byteLength, 0);
    return this.#pool.run(
      { post: () => [{ blocks, context }, blocks.map(({ buffer }) => buffer)], byteLength },
      signal,
    );
  }

  /** Ends the threads; what waits or runs is refused as `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

function answerOf<T>({ model, outcome }: ReadBody): BodyAnswer<T> {
  const query = () => {
    assert(outcome.kind !== "continues", "a body is read once what it goes on with was looked for");
    assert(outcome.kind !== "deferred", "a thread reads whatever comes to it");
    if (outcome.kind === "read") return outcome.query as T;
    const { code, message, field } = outcome;
    throw new DroverError(code, message, field === undefined ? {} : { field });
  };
  return { model, query };
}
