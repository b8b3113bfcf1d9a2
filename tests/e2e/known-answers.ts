import type { TestCluster } from "./test-cluster.ts";

/** What became of one request. */
export type Outcome = "right" | "wrong" | "error";

const PROMPTS = ["France", "Japan", "Thailand", "India", "Egypt", "Brazil", "Italy", "Kenya"].map(
  (place, i) => `What is the capital of ${place}? Tell me about ${i + 2} blue boats and an old lantern.`,
);
const TOKENS = 96;

/** A steady load of greedy streams whose right texts are known, to be run while things are killed. */
export class KnownAnswers {
  readonly counts: Record<Outcome, number> = { right: 0, wrong: 0, error: 0 };
  /** The first few wrong answers, for the report. */
  readonly wrongs: string[] = [];
  readonly #cluster: TestCluster;
  readonly #answers = new Map<string, string>();

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  /** Asks every prompt once without faults. Rejects when the cluster cannot answer. */
  async learn(): Promise<void> {
    for (const prompt of PROMPTS) {
      const text = await this.#ask(prompt);
      if (text === undefined) throw new Error("the cluster does not answer without faults");
      this.#answers.set(prompt, text);
    }
  }

  /** Keeps `streamCount` requests in flight until the signal aborts, and waits for the last ones. */
  async run(streamCount: number, signal: AbortSignal): Promise<void> {
    const loop = async (first: number) => {
      for (let i = first; !signal.aborted; i++) await this.once(i);
    };
    await Promise.all(Array.from({ length: streamCount }, (_, i) => loop(i)));
  }

  async once(i: number): Promise<Outcome> {
    const prompt = PROMPTS[i % PROMPTS.length] ?? "";
    const text = await this.#ask(prompt);
    const outcome = text === undefined ? "error" : text === this.#answers.get(prompt) ? "right" : "wrong";
    this.counts[outcome] += 1;
    if (outcome === "wrong" && this.wrongs.length < 5)
      this.wrongs.push(`${JSON.stringify(text)} for ${JSON.stringify(this.#answers.get(prompt))}`);
    return outcome;
  }

  /** Until an answer is right again. Rejects with the processes' output after a minute. */
  async recovered(): Promise<void> {
    const limit = Date.now() + 60_000;
    for (let i = 0; (await this.once(i)) !== "right"; i++) {
      if (Date.now() > limit) throw new Error(`the cluster does not answer again:\n${this.#cluster.output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** The streamed text; undefined when the request ended with an error instead of [DONE]. */
  async #ask(content: string): Promise<string | undefined> {
    const body = {
      model: "nano",
      messages: [{ role: "user", content }],
      max_tokens: TOKENS,
      temperature: 0,
      ignore_eos: true,
      stream: true,
    };
    const response = await this.#cluster
      .post("/v1/chat/completions", body, AbortSignal.timeout(120_000))
      .catch(() => undefined);
    if (response?.ok !== true) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return undefined;
    }
    const text = await response.text().catch(() => "");
    if (!text.includes("data: [DONE]")) return undefined;
    const chunks = text.split("\n").filter((line) => line.startsWith("data: {"));
    return chunks.map((line) => JSON.parse(line.slice(6)).choices?.[0]?.delta?.content ?? "").join("");
  }
}
