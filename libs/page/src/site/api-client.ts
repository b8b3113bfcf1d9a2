import type { ClusterState } from "./cluster-state.ts";
import { serverEvents } from "./server-events.ts";

/** What the server said in place of an answer. */
export class ApiFault extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type ContentPart =
  | Readonly<{ type: "text"; text: string }>
  | Readonly<{ type: "image_url"; image_url: Readonly<{ url: string }> }>;

export type ChatMessage = Readonly<{ role: "system" | "user" | "assistant"; content: string | readonly ContentPart[] }>;

/** A piece of an answer's text, or at its end why it ended and how many tokens it had. */
export type ChatPiece = Readonly<{ text?: string; finish?: string; tokenCount?: number }>;

type ChatChunk = Readonly<{
  error?: Readonly<{ message?: string }>;
  choices?: readonly Readonly<{ delta?: Readonly<{ content?: string | null }>; finish_reason?: string | null }>[];
  usage?: Readonly<{ completion_tokens?: number }> | null;
}>;

/** The router that this page is from, by its public interface. */
export class ApiClient {
  key: string;

  constructor(key: string) {
    this.key = key;
  }

  /** Ids of the served models. Throws `ApiFault`. */
  async models(): Promise<string[]> {
    const { data } = (await this.#json("/v1/models")) as { data: readonly { id: string }[] };
    return data.map(({ id }) => id);
  }

  /** Undefined while the router has not heard of a scheduler that leads. Throws `ApiFault`. */
  async cluster(model: string): Promise<ClusterState | undefined> {
    const state = (await this.#json(`/debug/cluster?model=${encodeURIComponent(model)}`)) as ClusterState;
    return state.schedulerId === undefined || state.schedulerId === "" ? undefined : state;
  }

  /** The interface's description. Throws `ApiFault`. */
  openApi(): Promise<unknown> {
    return this.#json("/openapi.json");
  }

  /** Streams an answer. Throws `ApiFault`, and the signal's reason once it aborts. */
  async *chat(body: Readonly<Record<string, unknown>>, signal: AbortSignal): AsyncGenerator<ChatPiece> {
    const init = { method: "POST", body: JSON.stringify(body), signal };
    const response = await this.#fetch("/v1/chat/completions", init);
    if (response.body === null) throw new ApiFault(response.status, "the server answered without a body");
    for await (const data of serverEvents(response.body)) {
      if (data === "[DONE]") return;
      const { error, choices, usage } = JSON.parse(data) as ChatChunk;
      if (error !== undefined) throw new ApiFault(500, error.message ?? "the answer ended with an error");
      const [choice] = choices ?? [];
      if (choice?.delta?.content) yield { text: choice.delta.content };
      if (choice?.finish_reason) yield { finish: choice.finish_reason };
      if (usage?.completion_tokens !== undefined) yield { tokenCount: usage.completion_tokens };
    }
    throw new ApiFault(500, "the answer was cut off");
  }

  async #json(path: string): Promise<unknown> {
    return (await this.#fetch(path, {})).json();
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (this.key !== "") headers.authorization = `Bearer ${this.key}`;
    const response = await fetch(path, { ...init, headers });
    if (response.ok) return response;
    const text = await response.text();
    throw new ApiFault(response.status, messageIn(text) ?? `status ${response.status}`);
  }
}

function messageIn(text: string): string | undefined {
  try {
    return (JSON.parse(text) as { error?: { message?: string } }).error?.message;
  } catch {
    // A proxy's page, say.
    return undefined;
  }
}
