import { at, type Clock, DroverError, neverAborted, sleepUnlessAborted, toDroverError } from "@drover/core";
import type { Output } from "@drover/openai";
import { KEYED_BEAT_MS } from "../limits.ts";
import type { Generation } from "../requests/generation.ts";
import { placed } from "../requests/generation-batch.ts";
import type { OutputSink } from "../requests/output-buffer.ts";
import type { Delivered } from "./answer-segments.ts";
import type { SegmentWriter } from "./segment-writer.ts";

/** Takes outputs, each once; `isKept`: another router could give them too. */
type TakeKept = (outputs: readonly Output[], isKept: boolean) => void;

type Waiting = { outputs: Output[]; delivered: Delivered[] };

const nothing = (): Waiting => ({ outputs: [], delivered: [] });

/**
 * Between the generations of a keyed request and its answer: what workers deliver is written to the store before it is given on, so that another router
 * that takes the request over has all that any client got. What comes while one write is under way is in the next.
 */
export class AnswerJournal {
  /** Of a request that another router computes, from when it is this one's. */
  #writer: SegmentWriter | undefined;
  readonly #clock: Clock;
  readonly #pauseMs: () => number;
  readonly #over = Promise.withResolvers<void>();
  readonly #isRead = Promise.withResolvers<void>();
  readonly #restored: Output[] = [];
  #waiting = nothing();
  #take: TakeKept | undefined;
  #isWriting = false;
  #isRestoring = false;
  #choiceCount = 1;
  #openCount = 0;
  #cachedTokenCount = 0;
  #fault: unknown;

  #digest: Uint8Array | undefined;

  /** `pauseMs`: how long the next write waits for more. */
  constructor(clock: Clock, pauseMs: () => number) {
    this.#clock = clock;
    this.#pauseMs = pauseMs;
    this.#over.promise.catch(() => undefined);
  }

  /** Of what is asked, once that is known. */
  get digest(): Uint8Array | undefined {
    return this.#digest;
  }

  /** Resolves once it has its reader. */
  get isRead(): Promise<void> {
    return this.#isRead.promise;
  }

  /** The request is this router's: what comes from now on is written. Errors: `not_found` where what was delivered is of something else. */
  own(writer: SegmentWriter): void {
    this.#writer = writer;
    if (this.#digest !== undefined) writer.begin(this.#digest);
  }

  /** Where the outputs of its prompts go, in their order; `choiceCount` of each. */
  sinks(promptCount: number, choiceCount: number): readonly OutputSink[] {
    this.#choiceCount = choiceCount;
    this.#openCount = promptCount;
    return Array.from({ length: promptCount }, (_, prompt) => ({
      push: (output, event) => {
        if (output.kind === "end") this.#end(output.cachedTokenCount);
        else if (this.#isRestoring) this.#restored.push(placed(output, prompt, this.#choiceCount));
        else {
          this.#waiting.outputs.push(placed(output, prompt, this.#choiceCount));
          if (event !== undefined) this.#waiting.delivered.push({ prompt, event });
          this.#write();
        }
        return true;
      },
      end: (error) => {
        if (error !== undefined) this.fail(error);
      },
    }));
  }

  /** What another router has delivered. `digest`: of what is asked. Errors: `not_found` where that is of something else. */
  delivered(digest: Uint8Array): readonly Delivered[] {
    this.#digest = digest;
    return this.#writer?.begin(digest) ?? [];
  }

  /** Has the generations take what was delivered, in order, before they begin; a reader gets it at once. */
  restore(generations: readonly Generation[], delivered: readonly Delivered[]): void {
    this.#isRestoring = true;
    for (const { prompt, event } of delivered) at(generations, prompt).restore(event);
    this.#isRestoring = false;
    this.#giveRestored();
  }

  #giveRestored(): void {
    if (this.#take !== undefined && this.#restored.length > 0) this.#take(this.#restored.splice(0), true);
  }

  /** One reader: what was restored at first. Resolves at the end. Errors: what ended one of the generations; `idempotency_key_in_use` where another router has the request. */
  read(take: TakeKept): Promise<void> {
    this.#take = take;
    this.#giveRestored();
    this.#isRead.resolve();
    this.#write();
    return this.#over.promise;
  }

  /** Ends it by an error: nothing that waits is given on. */
  fail(error: unknown): void {
    this.#fault ??= error;
    // What waits was not given to anybody, but it may be written already.
    if (!this.#isWriting) this.#over.reject(this.#fault);
  }

  #end(cachedTokenCount: number): void {
    this.#cachedTokenCount += cachedTokenCount;
    this.#openCount -= 1;
    if (this.#openCount > 0) return;
    this.#waiting.outputs.push({ kind: "end", cachedTokenCount: this.#cachedTokenCount });
    this.#write();
  }

  #write(): void {
    if (this.#isWriting || this.#take === undefined || this.#writer === undefined) return;
    this.#isWriting = true;
    this.#writeAll(this.#writer, this.#take).catch((error: unknown) => {
      this.#isWriting = false;
      this.fail(toDroverError(error));
    });
  }

  async #writeAll(writer: SegmentWriter, take: TakeKept): Promise<void> {
    while (this.#waiting.outputs.length > 0 && this.#fault === undefined) {
      const pauseMs = this.#pauseMs();
      if (pauseMs > 0) await sleepUnlessAborted(this.#clock, pauseMs, neverAborted);
      const { outputs, delivered } = this.#waiting;
      this.#waiting = nothing();
      const written = await writer.write(delivered);
      if (written === "taken") throw takenOver();
      take(outputs, written === "kept");
    }
    this.#isWriting = false;
    if (this.#fault !== undefined) this.#over.reject(this.#fault);
    else if (this.#openCount === 0) this.#over.resolve();
  }
}

/** Who asks again learns what the other router has. */
export function takenOver(): DroverError {
  return new DroverError(
    "idempotency_key_in_use",
    "another router has taken the request over: ask again with its Idempotency-Key",
    { retryAfterMs: KEYED_BEAT_MS },
  );
}
