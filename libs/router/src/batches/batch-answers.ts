import { randomUUID } from "node:crypto";
import { type Clock, DroverError, ERROR_CODES, sleepUnlessAborted, toDroverError } from "@drover/core";
import {
  answeredLine,
  type BatchLine,
  errorReply,
  GENERATION_ENDPOINTS,
  type GenerationEndpoint,
  type GenerationQuery,
  type KeptNames,
  publicError,
} from "@drover/openai";
import type { Bodies } from "../bodies/bodies.ts";
import { BodyBlocks } from "../bodies/body-blocks.ts";
import type { Deployments } from "../deployments.ts";
import { BATCH_PAUSE_MS, BATCH_WAIT_MS_MAX } from "../limits.ts";
import { replyFrame, wholeAnswer } from "../requests/whole-answer.ts";

/** Whose responses a batch goes on with and keeps: who may use batches shares them. */
const OWN = "";

export type BatchAnswersOptions = Readonly<{ bodies: Bodies; deployments: Deployments; clock: Clock }>;

/** The line of one request's answer, and whether it is none of an error. */
export type AnsweredLine = Readonly<{ line: string; isAnswer: boolean }>;

/** Answers requests of batches one by one, by the same way as their endpoint; each begins only while nobody else waits. */
export class BatchAnswers {
  readonly #options: BatchAnswersOptions;

  constructor(options: BatchAnswersOptions) {
    this.#options = options;
  }

  /** Tries again for as long as it is refused for a reason that passes. Errors: the signal's reason. */
  async answer(path: string, { customId, body }: BatchLine, signal: AbortSignal): Promise<AnsweredLine> {
    const endpoint = GENERATION_ENDPOINTS.find((one) => one.path === path);
    if (endpoint === undefined) throw new DroverError("invalid_argument", "is no endpoint of batches");
    const id = `batch_req_${randomUUID().replaceAll("-", "")}`;
    for (;;) {
      signal.throwIfAborted();
      try {
        await this.#quiet(signal);
        const answer = await this.#once(endpoint, body, signal);
        return { line: answeredLine(id, customId, 200, answer), isAnswer: true };
      } catch (error) {
        signal.throwIfAborted();
        const fault = toDroverError(error);
        if (fault.code !== "overloaded" && fault.code !== "unavailable") {
          const told = (endpoint.refusal ?? errorReply)(publicError(fault));
          return { line: answeredLine(id, customId, ERROR_CODES[fault.code].http, told), isAnswer: false };
        }
        await sleepUnlessAborted(this.#options.clock, BATCH_PAUSE_MS, signal);
      }
    }
  }

  /** Who asks for an answer now goes first. */
  async #quiet(signal: AbortSignal): Promise<void> {
    const { deployments, clock } = this.#options;
    while (!signal.aborted && [...deployments].some(({ waitMs }) => waitMs > BATCH_WAIT_MS_MAX))
      await sleepUnlessAborted(clock, BATCH_PAUSE_MS, signal);
    signal.throwIfAborted();
  }

  async #once(endpoint: GenerationEndpoint, body: string, signal: AbortSignal): Promise<unknown> {
    const { bodies, deployments } = this.#options;
    const blocks = new BodyBlocks();
    blocks.append(Buffer.from(body));
    const received = { blocks, [Symbol.dispose]: () => undefined };
    const keptFor = (model: string | undefined, names: KeptNames) =>
      deployments.reading(model).responses.parts(OWN, names, signal);
    const { model, query } = await bodies.read<readonly GenerationQuery[]>(received, endpoint.path, signal, keptFor);
    const { inference, responses } = deployments.reading(model);
    using permit = inference.admit({ operation: `batch ${endpoint.path}` });
    const running = await inference.begin(query, permit, signal);
    try {
      return await wholeAnswer(
        endpoint,
        replyFrame(endpoint, inference, running),
        running.batch,
        { responses, owner: OWN },
        signal,
      );
    } finally {
      inference.cancel(running.batch);
    }
  }
}
