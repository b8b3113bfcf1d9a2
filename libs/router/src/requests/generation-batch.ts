import { assert, at, type RequestId } from "@drover/core";
import type { InferenceRequest, Output } from "@drover/openai";
import type { Generation } from "./generation.ts";
import type { TakeOutputs } from "./output-buffer.ts";

type Turn = Readonly<{ index: number; result: IteratorResult<readonly Output[], void> }>;

/** What one reply is made of: a generation for each of its prompts, whose choices are counted through. */
export class GenerationBatch {
  /** In the order of the prompts. */
  readonly generations: readonly Generation[];
  /** Aborts when one of them has ended in an error, with that error. */
  readonly failed: AbortSignal;
  readonly #first: Generation;

  constructor(generations: readonly Generation[]) {
    const [first] = generations;
    assert(first !== undefined, "a reply answers a prompt");
    this.generations = generations;
    this.#first = first;
    this.failed = generations.length === 1 ? first.failed : AbortSignal.any(generations.map(({ failed }) => failed));
  }

  /** The reply's own id: that of its first prompt. */
  get requestId(): RequestId {
    return this.#first.requestId;
  }

  /** By what its client knows the reply. */
  get replyId(): RequestId {
    return this.#first.replyId;
  }

  /** In the order of the prompts. */
  get requests(): readonly InferenceRequest[] {
    return this.generations.map(({ request }) => request);
  }

  /** For one reader; one end for all. Errors: the DroverError that ended one of them. */
  outputs(): AsyncIterable<readonly Output[]> {
    return this.generations.length === 1 ? this.#first.outputs() : this.#merged();
  }

  /** As {@link outputs}, each step's given to one reader, as {@link OutputBuffer.read}. */
  async read(take: TakeOutputs): Promise<void> {
    if (this.generations.length === 1) return this.#first.read(take);
    for await (const outputs of this.#merged()) await take(outputs);
  }

  /** Whatever comes first; nothing is read from a generation before what it gave last was taken. */
  async *#merged(): AsyncGenerator<readonly Output[], void, undefined> {
    const readers = this.generations.map((generation) => generation.outputs()[Symbol.asyncIterator]());
    const read = async (index: number): Promise<Turn> => ({ index, result: await at(readers, index).next() });
    const waiting = new Map(readers.map((_, index) => [index, read(index)]));
    let cachedTokenCount = 0;
    while (waiting.size > 0) {
      const { index, result } = await Promise.race(waiting.values());
      waiting.delete(index);
      if (result.done === true) continue;
      const batch: Output[] = [];
      for (const output of result.value) {
        if (output.kind === "end") cachedTokenCount += output.cachedTokenCount;
        else batch.push(placed(output, index, this.#first.request.sampling.n));
      }
      if (batch.length > 0) yield batch;
      // Last in the row: one that always has something does not keep the others waiting.
      waiting.set(index, read(index));
    }
    yield [{ kind: "end", cachedTokenCount }];
  }
}

/** A prompt's output as the reply has it: its choices are `n`, behind those of the prompts before it. */
export function placed(output: Exclude<Output, { kind: "end" }>, prompt: number, n: number): Output {
  if (output.kind === "prompt") return { ...output, prompt };
  return { ...output, choice: prompt * n + output.choice };
}
