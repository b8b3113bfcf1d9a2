import { DroverError, sleepUnlessAborted, toDroverError } from "@drover/core";
import { readCompletion } from "@drover/openai";
import { MODEL, trueAnswer } from "./model.ts";
import type { SimRouter } from "./sim-router.ts";

/** What one client asks, and how it behaves. */
export type ClientPlan = Readonly<{
  atMs: number;
  router: number;
  prompt: readonly number[];
  tokensMax: number;
  choiceCount: number;
  /** It leaves so long after it has asked; absent: it stays. */
  leavesMs?: number;
  /** It takes so long over each part that it reads; absent: none. */
  readMs?: number;
}>;

/** How it ended for the client. */
export type ClientEnd =
  | Readonly<{ kind: "answered" }>
  | Readonly<{ kind: "left" }>
  /** `accepted`: the queue had taken it. */
  | Readonly<{ kind: "refused"; code: string; message: string; accepted: boolean }>;

/** One client of a router: asks, reads, and holds every token against what it must be. */
export class SimClient {
  readonly name: string;
  readonly plan: ClientPlan;
  readonly #onFault: (sentence: string) => void;
  readonly #expected: readonly (readonly number[])[];
  readonly #got: number[][];
  router: SimRouter | undefined;
  end: ClientEnd | undefined;
  accepted = false;
  onLeft: () => void = () => undefined;
  /** By which the cluster knows it, once it is accepted. */
  requestId: string | undefined;

  constructor(name: string, plan: ClientPlan, onFault: (sentence: string) => void) {
    this.name = name;
    this.plan = plan;
    this.#onFault = onFault;
    const { prompt, choiceCount, tokensMax } = plan;
    this.#expected = Array.from({ length: choiceCount }, (_, choice) => trueAnswer(prompt, choice, tokensMax));
    this.#got = this.#expected.map(() => []);
  }

  /** It has its answer, has left or was refused, or went down with its router. */
  get isOver(): boolean {
    return this.end !== undefined || this.router?.process.isGone === true;
  }

  /** It waits for an answer that a router owes it. */
  get isOwed(): boolean {
    return this.accepted && !this.isOver;
  }

  /** Asks a router. Never rejects. */
  async ask(router: SimRouter): Promise<void> {
    this.router = router;
    const leaving = new AbortController();
    const { leavesMs } = this.plan;
    if (leavesMs !== undefined)
      router.process.after(leavesMs, `${this.name} leaves`, () => {
        leaving.abort(new DroverError("cancelled", "the client has left"));
        this.onLeft();
      });
    try {
      await this.#read(router, leaving.signal);
      this.#close({ kind: "answered" });
    } catch (error) {
      const { code, message } = toDroverError(error);
      if (leaving.signal.aborted) this.#close({ kind: "left" });
      else this.#close({ kind: "refused", code, message, accepted: this.accepted });
    }
  }

  async #read({ process, deployment }: SimRouter, signal: AbortSignal): Promise<void> {
    const { prompt, tokensMax, choiceCount, readMs } = this.plan;
    const { inference } = deployment;
    const body = {
      model: MODEL.name,
      prompt,
      max_tokens: tokensMax,
      n: choiceCount,
      temperature: choiceCount > 1 ? 1 : 0,
      seed: 1,
      stream: true,
    };
    using permit = inference.admit({ operation: "completion", name: this.name });
    const running = await inference.begin((facts) => [readCompletion(body, facts)], permit, signal);
    this.accepted = true;
    this.requestId = running.batch.requestId;
    for await (const outputs of running.batch.outputs()) {
      for (const output of outputs) if (output.kind === "token") this.#take(output.choice, output.tokenId);
      if (readMs !== undefined) await sleepUnlessAborted(process, readMs, signal);
    }
  }

  #take(choice: number, tokenId: number): void {
    const got = this.#got[choice];
    const expected = this.#expected[choice]?.[got?.length ?? 0];
    got?.push(tokenId);
    if (expected !== tokenId)
      this.#onFault(`${this.name}: token ${got?.length} of choice ${choice} is ${tokenId} and should be ${expected}`);
  }

  #close(end: ClientEnd): void {
    this.end = end;
    const isWhole = this.#got.every((tokens, choice) => tokens.length === this.#expected[choice]?.length);
    if (end.kind === "answered" && !isWhole) this.#onFault(`${this.name}: the answer ended before its last token`);
  }
}
