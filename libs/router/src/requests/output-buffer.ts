import type { PromptEvent, TokenEvent } from "@drover/core";
import type { Output, ToolCall } from "@drover/openai";
import { OUTPUT_BUFFER_BYTES_MAX } from "../limits.ts";
import type { UnreadRoom } from "../memory/request-memory.ts";

/** Takes outputs. A promise says that it is to be left alone until that has resolved. */
export type TakeOutputs = (outputs: readonly Output[]) => Promise<void> | undefined;

/** Where a generation's outputs go. */
export interface OutputSink {
  /** False when the reader is too far behind. `event`: what a worker has told, of which the output is; none of the end. */
  push(output: Output, event?: PromptEvent | TokenEvent): boolean;
  /** No more outputs; with an error where the generation ended by it. */
  end(error?: unknown): void;
}

/** Between the shared token stream, which never waits, and one reader, which may be slow. */
export class OutputBuffer implements AsyncIterable<readonly Output[]>, OutputSink {
  readonly #room: UnreadRoom | undefined;
  #waiting: Output[] = [];
  #byteCount = 0;
  /** Of what its reader was given and has not passed on. */
  #givenByteCount = 0;
  #ended = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  /** What waits, and what its reader was given last, counts in `room`; nowhere unless given. */
  constructor(room?: UnreadRoom) {
    this.#room = room;
  }

  /** False when the reader is too far behind, by itself or beside all others: the output is not taken. */
  push(output: Output): boolean {
    if (this.#ended) return true;
    // The end always comes through.
    const byteCount = output.kind === "end" ? 0 : outputBytes(output);
    if (byteCount > 0 && !this.#hasRoom(byteCount)) return false;
    this.#byteCount += byteCount;
    this.#waiting.push(output);
    this.#wake?.();
    return true;
  }

  #hasRoom(byteCount: number): boolean {
    if (this.#byteCount + byteCount > OUTPUT_BUFFER_BYTES_MAX && this.#waiting.length > 0) return false;
    return this.#room?.take(byteCount) ?? true;
  }

  /** No more outputs; with an error, the reader gets it after what is waiting. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake?.();
  }

  /**
   * One reader, who is given all that is waiting once the step that brought it is read: without a promise for each of them. Rejects with the
   * error of the end, once what was waiting is taken, and with whatever the reader throws.
   */
  read(take: TakeOutputs): Promise<void> {
    const over = Promise.withResolvers<void>();
    let isDue = false;
    const fail = (error: unknown) => {
      this.#wake = undefined;
      over.reject(error);
    };
    const give = () => {
      isDue = false;
      this.#passed();
      try {
        while (this.#waiting.length > 0) {
          const taken = take(this.#takeWaiting());
          if (taken === undefined) {
            this.#passed();
            continue;
          }
          isDue = true;
          taken.then(give, fail);
          return;
        }
      } catch (error) {
        fail(error);
        return;
      }
      if (!this.#ended) return;
      if (this.#error === undefined) over.resolve();
      else fail(this.#error);
    };
    this.#wake = () => {
      if (isDue) return;
      isDue = true;
      soon(give);
    };
    this.#wake();
    return over.promise;
  }

  #takeWaiting(): readonly Output[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#passed();
    this.#givenByteCount = this.#byteCount;
    this.#byteCount = 0;
    return waiting;
  }

  /** Its reader has passed on what it was given. */
  #passed(): void {
    if (this.#givenByteCount > 0) this.#room?.give(this.#givenByteCount);
    this.#givenByteCount = 0;
  }

  /** One reader. Each turn gives all that is waiting. */
  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Output[], void, undefined> {
    while (true) {
      if (this.#waiting.length > 0) {
        yield this.#takeWaiting();
        this.#passed();
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }
}

/** Who has something to give once the message that is being read is read: a step has something for every request. */
const due: (() => void)[] = [];

function soon(give: () => void): void {
  if (due.push(give) > 1) return;
  queueMicrotask(() => {
    for (const each of due.splice(0)) each();
  });
}

/** About what an output takes while it waits. */
function outputBytes(output: Exclude<Output, { kind: "end" }>): number {
  switch (output.kind) {
    case "prompt":
      return output.logprobs.reduce((sum, { top }) => sum + 64 + top.length * 32, 64) + output.experts.length * 128;
    case "token":
      return (
        96 +
        output.text.length * 2 +
        callBytes(output.toolCalls) +
        (output.logprob?.top.length ?? 0) * 32 +
        (output.experts?.length ?? 0) * 8
      );
  }
}

function callBytes(calls: readonly ToolCall[]): number {
  return calls.reduce((sum, call) => sum + 96 + (call.name.length + call.arguments.length) * 2, 0);
}
