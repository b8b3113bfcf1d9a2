import { randomUUID } from "node:crypto";
import { type Clock, DroverError, ERROR_CODES, type ErrorCode, sleepUnlessAborted, toDroverError } from "@drover/core";
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
import type { ApiKeys } from "../api-keys.ts";
import type { Bodies } from "../bodies/bodies.ts";
import { BodyBlocks } from "../bodies/body-blocks.ts";
import type { Deployments } from "../deployments.ts";
import { BATCH_PAUSE_MS, BATCH_WAIT_MS_MAX } from "../limits.ts";
import { jsonText } from "../requests/json-text.ts";
import { replyFrame, wholeAnswer } from "../requests/whole-answer.ts";

export type BatchAnswersOptions = Readonly<{ bodies: Bodies; deployments: Deployments; keys: ApiKeys; clock: Clock }>;

/** Refusals that pass. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["overloaded", "unavailable", "rate_limit_exceeded"]);

/** The line of one request's answer, and whether it is none of an error. */
export type AnsweredLine = Readonly<{ line: string; isAnswer: boolean }>;

/** Answers requests of batches one by one, by the same way as their endpoint; each begins only while nobody else waits. */
export class BatchAnswers {
  readonly #options: BatchAnswersOptions;

  constructor(options: BatchAnswersOptions) {
    this.#options = options;
  }

  /** Tries again for as long as it is refused for a reason that passes, also for a limit of its tenant's. Errors: the signal's reason. */
  async answer(
    path: string,
    { customId, body }: BatchLine,
    tenant: string,
    signal: AbortSignal,
  ): Promise<AnsweredLine> {
    const endpoint = GENERATION_ENDPOINTS.find((one) => one.path === path);
    if (endpoint === undefined) throw new DroverError("invalid_argument", "is no endpoint of batches");
    const id = `batch_req_${randomUUID().replaceAll("-", "")}`;
    for (;;) {
      signal.throwIfAborted();
      try {
        await this.#quiet(signal);
        const answer = await jsonText(await this.#once(endpoint, body, tenant, signal));
        return { line: answeredLine(id, customId, 200, answer), isAnswer: true };
      } catch (error) {
        signal.throwIfAborted();
        const fault = toDroverError(error);
        if (!PASSING.has(fault.code)) {
          const told = (endpoint.refusal ?? errorReply)(publicError(fault));
          const line = answeredLine(id, customId, ERROR_CODES[fault.code].http, JSON.stringify(told));
          return { line, isAnswer: false };
        }
        const waitMs = fault.retryAfterMs === undefined ? BATCH_PAUSE_MS : Math.max(BATCH_PAUSE_MS, fault.retryAfterMs);
        await sleepUnlessAborted(this.#options.clock, waitMs, signal);
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

  async #once(endpoint: GenerationEndpoint, body: string, tenant: string, signal: AbortSignal): Promise<unknown> {
    const { bodies, deployments, keys } = this.#options;
    const account = keys.named(tenant);
    const blocks = new BodyBlocks();
    blocks.append(Buffer.from(body));
    const received = { blocks, [Symbol.dispose]: () => undefined };
    const keptFor = (model: string | undefined, names: KeptNames) =>
      deployments.reading(model).responses.parts(tenant, names, signal);
    const { model, query } = await bodies.read<readonly GenerationQuery[]>(received, endpoint.path, signal, keptFor);
    const { inference, responses } = deployments.reading(model);
    using permit = inference.admit({ operation: `batch ${endpoint.path}` }, account);
    const running = await inference.begin(query, permit, signal);
    try {
      return await wholeAnswer(
        endpoint,
        replyFrame(endpoint, inference, running),
        running.batch,
        { responses, owner: tenant },
        signal,
      );
    } finally {
      inference.cancel(running.batch);
    }
  }
}
