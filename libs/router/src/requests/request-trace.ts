import type { ErrorCode, TraceContext, Tracer, TraceSpan } from "@drover/core";
import type { InferenceRequest } from "@drover/openai";

/** What a client says of its own trace, what it calls its request (`x-request-id`), and what it calls: `POST /v1/chat/completions`, `drover.v1.Inference/Chat`. */
export type Incoming = Partial<TraceContext> & Readonly<{ operation: string; name?: string }>;

/** A traced request at its router, from its admission to its last byte. */
export class RequestTrace {
  readonly #span: TraceSpan;
  #fault: ErrorCode | undefined;
  #requestId: string | undefined;
  #choiceCount = 0;
  #promptTokenCount = 0;
  #cachedTokenCount = 0;
  #tokenCount = 0;

  private constructor(span: TraceSpan) {
    this.#span = span;
  }

  /** Undefined for what nobody records. */
  static begin(tracer: Tracer, incoming: Incoming, modelId: string): RequestTrace | undefined {
    const { operation } = incoming;
    const attributes = { "gen_ai.request.model": modelId };
    const span = tracer.begin(operation, incoming, { kind: "server", attributes });
    return span && new RequestTrace(span);
  }

  /** What queue and workers hang their spans under. */
  get context(): TraceContext {
    return this.#span.context;
  }

  /** Something that it waits for; whatever begins it ends it. */
  child(name: string): TraceSpan {
    return this.#span.child(name);
  }

  /** It is known by the id of its first prompt from now on; each of its prompts is told. */
  named({ requestId, request }: Readonly<{ requestId: string; request: InferenceRequest }>): void {
    this.#requestId ??= requestId;
    this.#choiceCount += request.sampling.n;
    this.#promptTokenCount += request.promptTokenIds.length;
    this.#span.attributes({
      "drover.request": this.#requestId,
      "drover.images": request.images.length,
      "drover.choices": this.#choiceCount,
      "gen_ai.request.max_tokens": request.sampling.maxTokens,
      "gen_ai.usage.input_tokens": this.#promptTokenCount,
    });
  }

  token(): void {
    this.#tokenCount += 1;
    if (this.#tokenCount === 1) this.#span.event("first_token");
  }

  /** It goes on with another worker. */
  addedAgain(reason: string): void {
    this.#span.event("added_again", { "drover.reason": reason });
  }

  failed(code: ErrorCode): void {
    this.#fault ??= code;
  }

  completed(cachedTokenCount: number): void {
    this.#cachedTokenCount += cachedTokenCount;
    this.#span.attributes({ "drover.cached_tokens": this.#cachedTokenCount });
  }

  end(): void {
    this.#span.attributes({ "gen_ai.usage.output_tokens": this.#tokenCount });
    this.#span.end(this.#fault);
  }
}
