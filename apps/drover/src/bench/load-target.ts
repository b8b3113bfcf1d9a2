import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { DroverError, systemClock, withTimeout } from "@drover/core";
import { errorMessage, serverAddress } from "../chat/server-words.ts";
import { readEvents } from "../chat/sse.ts";
import { ERROR_BODY_BYTES_MAX } from "../limits.ts";

/** Of an answer in another shape than OpenAI's. */
const WORDS_KEPT = 200;

/** What one request showed. Times are in milliseconds of one monotonic clock. */
export type Sample = Readonly<{
  beginMs: number;
  endMs: number;
  /** When each piece of the answer came. */
  pieceMs: readonly number[];
  promptTokens: number;
  /** As the server says, else the pieces. */
  outputTokens: number;
  /** Why there is no whole answer. */
  error?: string;
}>;

export type TargetOptions = Readonly<{ name: string; url: string; apiKey: string | undefined; timeoutMs: number }>;

/** A server under load. Connections are kept, and as many as requests are in flight. */
export class LoadTarget implements Disposable {
  readonly name: string;
  readonly url: string;
  readonly #timeoutMs: number;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: HttpAgent;

  constructor({ name, url, apiKey, timeoutMs }: TargetOptions) {
    this.name = name;
    this.url = serverAddress(url);
    this.#timeoutMs = timeoutMs;
    this.#headers = {
      "content-type": "application/json",
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    };
    const options = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY };
    this.#agent = this.url.startsWith("https:") ? new HttpsAgent(options) : new HttpAgent(options);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /** Sends one streaming request and reads its answer to the end. Whatever goes wrong is a sample with its reason. */
  async measure(path: string, body: unknown, signal: AbortSignal): Promise<Sample> {
    const text = JSON.stringify(body);
    const limit = { ms: this.#timeoutMs, message: `no whole answer within ${this.#timeoutMs} ms` };
    const beginMs = performance.now();
    const seen = { pieceMs: [] as number[], promptTokens: 0, outputTokens: 0 };
    const sample = (error?: string): Sample => {
      const outputTokens = seen.outputTokens > 0 ? seen.outputTokens : seen.pieceMs.length;
      return { ...seen, beginMs, endMs: performance.now(), outputTokens, ...(error === undefined ? {} : { error }) };
    };
    try {
      await withTimeout(limit, systemClock, signal, async (within) => {
        const response = await this.#post(path, text, within);
        if (response.statusCode !== 200) throw await refusal(response);
        await readAnswer(response, seen);
      });
      return sample();
    } catch (error) {
      return sample(error instanceof Error ? error.message : String(error));
    }
  }

  #post(path: string, body: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const send = this.url.startsWith("https:") ? httpsRequest : httpRequest;
    const headers = { ...this.#headers, "content-length": Buffer.byteLength(body) };
    const request = send(`${this.url}${path}`, { method: "POST", headers, agent: this.#agent, signal }, resolve);
    request.on("error", reject);
    request.end(body);
    return promise;
  }
}

async function readAnswer(
  response: AsyncIterable<Uint8Array>,
  seen: { pieceMs: number[]; promptTokens: number; outputTokens: number },
): Promise<void> {
  for await (const { event, data } of readEvents(response)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data) as AnswerChunk;
    if (event === "error" || chunk.error)
      throw new DroverError("internal", chunk.error?.message ?? "an error in the stream");
    const [choice] = chunk.choices ?? [];
    if (choice?.text || choice?.delta?.content || choice?.delta?.tool_calls) seen.pieceMs.push(performance.now());
    if (chunk.usage) {
      seen.promptTokens = chunk.usage.prompt_tokens ?? 0;
      seen.outputTokens = chunk.usage.completion_tokens ?? 0;
    }
  }
  throw new DroverError("internal", "the stream was cut off");
}

type AnswerChunk = {
  error?: { message?: string };
  choices?: readonly { text?: string; delta?: { content?: string | null; tool_calls?: unknown } }[];
  usage?: { prompt_tokens?: number; completion_tokens?: number } | null;
};

async function refusal(response: IncomingMessage): Promise<DroverError> {
  let text = "";
  for await (const part of response) if (text.length < ERROR_BODY_BYTES_MAX) text += String(part);
  return new DroverError(
    "unavailable",
    `status ${response.statusCode}: ${errorMessage(text) ?? text.slice(0, WORDS_KEPT)}`,
  );
}
