import { type KnownAnswer, StreamTally, streamWithoutPause } from "./known-stream.ts";
import { readSse } from "./read-sse.ts";
import type { TestCluster } from "./test-cluster.ts";

const STREAMS = 8;

/** Streams whose answers are known, eight at a time and without a pause, until they are asked to end. */
export class SteadyStreams {
  readonly tally = new StreamTally();
  readonly #endStreams: () => Promise<void>;
  readonly #watching: Promise<void>;
  readonly #cluster: TestCluster;
  /** The longest that one more stream waited for its next token, milliseconds. */
  longestPauseMs = 0;
  #over = false;

  constructor(cluster: TestCluster, answers: readonly KnownAnswer[]) {
    this.#cluster = cluster;
    this.#endStreams = streamWithoutPause(cluster.post.bind(cluster), answers, STREAMS - 1, this.tally);
    this.#watching = this.#watchPauses();
  }

  /** Resolves when every stream has ended. */
  async end(): Promise<void> {
    this.#over = true;
    await Promise.all([this.#endStreams(), this.#watching]);
  }

  async #watchPauses(): Promise<void> {
    const request = { model: "nano", prompt: "Once upon a time", max_tokens: 200, ignore_eos: true, stream: true };
    while (!this.#over) {
      const response = await this.#cluster.post("/v1/completions", { ...request, temperature: 0 });
      let lastMs: number | undefined;
      for await (const data of readSse(response.body ?? new ReadableStream())) {
        if (data === "[DONE]") break;
        const nowMs = performance.now();
        if (lastMs !== undefined) this.longestPauseMs = Math.max(this.longestPauseMs, nowMs - lastMs);
        lastMs = nowMs;
      }
    }
  }
}
