import { FinishReason, type GenerationRequest } from "@drover/proto";
import type { FakeCluster, FakeWorker } from "./fake-cluster.ts";
import { EOS } from "./worker-events.ts";

/** What each choice of a request says. */
type Texts = (request: GenerationRequest) => readonly string[];

/** Has a fake worker answer every job, the shortest choice first, behind what was delivered of them; each token is a function of its choice and place. */
export class AnsweringWorker {
  readonly #cluster: FakeCluster;
  readonly #worker: FakeWorker;
  readonly #texts: Texts;
  /** Tokens of each attempt that comes from now on, after which it stands still. */
  tokenCountMax = Number.POSITIVE_INFINITY;
  /** How many jobs it has begun. */
  jobCount = 0;

  constructor(cluster: FakeCluster, worker: FakeWorker, texts: Texts) {
    this.#cluster = cluster;
    this.#worker = worker;
    this.#texts = texts;
    void this.#answerAll();
  }

  async #answerAll(): Promise<void> {
    for (let index = 0; ; index++) {
      const { payload, attemptBase } = await this.#cluster.jobs.at(index);
      this.jobCount += 1;
      this.#answer(this.#cluster.request(payload), attemptBase);
    }
  }

  #answer(request: GenerationRequest, attempt: number): void {
    const { routerId, requestId } = request;
    const choices = this.#texts(request).map((text, choice) => {
      const { tokenIds = [], finished = false } = request.delivered[choice] ?? {};
      return { choice, tokens: [...new TextEncoder().encode(text), EOS], next: tokenIds.length, finished };
    });
    const send: FakeWorker["sendTo"] = (...args) => this.#worker.sendTo(...args);
    const startIndices = choices.map(({ next }) => next);
    send(routerId, requestId, attempt, { case: "started", value: { startIndices } });
    let left = this.tokenCountMax;
    for (;;) {
      const [one] = choices.filter(({ finished }) => !finished).sort((a, b) => a.next - b.next);
      if (one === undefined) break;
      if (left-- <= 0) return;
      const { choice, next: index } = one;
      const tokenId = one.tokens[one.next++] ?? EOS;
      one.finished = tokenId === EOS;
      const finish = one.finished ? FinishReason.STOP : FinishReason.UNSPECIFIED;
      const logprob = -(tokenId + choice) / 256;
      const top = { tokenIds: [tokenId, 65], logprobs: [logprob, -5] };
      send(routerId, requestId, attempt, { case: "token", value: { choice, index, tokenId, finish, logprob, top } });
    }
    send(routerId, requestId, attempt, { case: "done", value: {} });
  }
}
