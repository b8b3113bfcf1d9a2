import type { Output, ToolCall } from "@drover/openai";
import { OUTPUT_BUFFER_BYTES_MAX } from "../limits.ts";

/** Between the shared token stream, which never waits, and one reader, which may be slow. */
export class OutputBuffer implements AsyncIterable<readonly Output[]> {
  #waiting: Output[] = [];
  #byteCount = 0;
  #ended = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  /** False when the reader is too far behind: the output is not taken. */
  push(output: Output): boolean {
    if (this.#ended) return true;
    const byteCount = outputBytes(output);
    if (this.#byteCount + byteCount > OUTPUT_BUFFER_BYTES_MAX && this.#waiting.length > 0) return false;
    this.#byteCount += byteCount;
    this.#waiting.push(output);
    this.#wake?.();
    return true;
  }

  /** No more outputs; with an error, the reader gets it after what is waiting. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake?.();
  }

  /** One reader. Each turn gives all that is waiting. */
  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Output[], void, undefined> {
    while (true) {
      if (this.#waiting.length > 0) {
        const batch = this.#waiting;
        this.#waiting = [];
        this.#byteCount = 0;
        yield batch;
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

/** About what an output takes while it waits. */
function outputBytes(output: Output): number {
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
    case "end":
      return 16;
  }
}

function callBytes(calls: readonly ToolCall[]): number {
  return calls.reduce((sum, call) => sum + 96 + (call.name.length + call.arguments.length) * 2, 0);
}
