import { DroverError, type ErrorCode } from "@drover/core";
import { errorMessage, serverAddress } from "./server-words.ts";
import { readEvents } from "./sse.ts";

type MessagePart =
  | Readonly<{ type: "text"; text: string }>
  | Readonly<{ type: "image_url"; image_url: Readonly<{ url: string }> }>;

export type Message = { role: "system" | "user" | "assistant"; content: string | readonly MessagePart[] };

/** A part of a streamed answer: text, or at its end how many tokens it had. */
export type AnswerPiece = Readonly<{ text: string }> | Readonly<{ tokenCount: number }>;

export type ChatClientOptions = Readonly<{ url: string; apiKey?: string | undefined }>;

/** The OpenAI API as `drover chat` and `drover up --prompt` use it: with the server's own defaults. */
export class ChatClient {
  /** The router's address, without `/v1`. */
  readonly url: string;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, apiKey }: ChatClientOptions) {
    this.url = serverAddress(url);
    this.#headers = {
      "content-type": "application/json",
      ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
    };
  }

  /** The id of the model that is served. Errors: as `answer`; `not_found` when there is none. */
  async modelName(signal: AbortSignal): Promise<string> {
    const response = await this.#fetch("/v1/models", { headers: this.#headers, signal });
    const { data } = (await response.json()) as { data?: readonly { id: string }[] };
    const id = data?.[0]?.id;
    if (id === undefined) throw new DroverError("not_found", `${this.url} serves no model`);
    return id;
  }

  /** The whole answer. Errors: `unavailable` when nobody answers there, `overloaded`, or what the server says. */
  async answer(model: string, messages: readonly Message[], signal: AbortSignal): Promise<string> {
    const response = await this.#post({ model, messages }, signal);
    const { choices } = (await response.json()) as { choices?: readonly { message?: { content?: string | null } }[] };
    const message = choices?.[0]?.message;
    if (message === undefined) throw new DroverError("internal", "the server answered without a choice");
    return message.content ?? "";
  }

  /**
   * The answer in pieces as they come; `fields` are further ones of the request. Errors: as `answer`, and `internal` when the stream ends before its
   * time.
   */
  async *stream(
    model: string,
    messages: readonly Message[],
    signal: AbortSignal,
    fields: Readonly<Record<string, unknown>> = {},
  ): AsyncGenerator<AnswerPiece> {
    const body = { ...fields, model, messages, stream: true, stream_options: { include_usage: true } };
    const response = await this.#post(body, signal);
    if (response.body === null) throw new DroverError("internal", "the server answered without a body");
    for await (const { event, data } of readEvents(response.body)) {
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data) as {
        error?: { message?: string };
        choices?: { delta?: { content?: string | null } }[];
        usage?: { completion_tokens?: number } | null;
      };
      if (event === "error" || chunk.error !== undefined) {
        throw new DroverError("internal", chunk.error?.message ?? "the server ended the answer with an error");
      }
      const text = chunk.choices?.[0]?.delta?.content;
      if (text !== undefined && text !== null && text !== "") yield { text };
      const tokenCount = chunk.usage?.completion_tokens;
      if (tokenCount !== undefined) yield { tokenCount };
    }
    throw new DroverError("internal", "the answer was cut off");
  }

  #post(body: unknown, signal: AbortSignal): Promise<Response> {
    const init = { method: "POST", headers: this.#headers, body: JSON.stringify(body), signal };
    return this.#fetch("/v1/chat/completions", init);
  }

  async #fetch(path: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${this.url}${path}`, init);
    } catch (cause) {
      init.signal.throwIfAborted();
      throw new DroverError("unavailable", `no Drover answers at ${this.url}`, { cause });
    }
    if (response.ok) return response;
    const said = errorMessage(await response.text()) ?? `the server answered with status ${response.status}`;
    const hint = response.status === 401 ? " (--api-key-file FILE gives a key)" : "";
    throw new DroverError(codeOf(response.status), said + hint);
  }
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return "unauthenticated";
  if (status === 404) return "not_found";
  if (status === 429) return "overloaded";
  if (status === 503) return "unavailable";
  return status < 500 ? "invalid_argument" : "internal";
}
