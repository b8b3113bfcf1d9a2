import { CHAT_MESSAGES_MAX } from "../limits.ts";
import type { ChatClient, Message } from "./chat-client.ts";

/** What was said so far. Only answers that came to their end are remembered, with their question. */
export class Conversation {
  readonly #client: Pick<ChatClient, "stream">;
  readonly #model: string;
  readonly #system: readonly Message[];
  readonly #pictures: readonly string[];
  #turns: Message[] = [];

  /** `pictures` are URLs that come with the first question, and again after a reset. */
  constructor(
    client: Pick<ChatClient, "stream">,
    model: string,
    system: string | undefined,
    pictures: readonly string[] = [],
  ) {
    this.#pictures = pictures;
    this.#client = client;
    this.#model = model;
    this.#system = system === undefined ? [] : [{ role: "system", content: system }];
  }

  /** The answer in pieces. Errors: as the client's; the question is then forgotten. */
  async *ask(question: string, signal: AbortSignal): AsyncGenerator<string> {
    const asked: Message = { role: "user", content: this.#content(question) };
    let answer = "";
    for await (const text of this.#client.stream(this.#model, [...this.#system, ...this.#turns, asked], signal)) {
      answer += text;
      yield text;
    }
    this.#turns = [...this.#turns, asked, { role: "assistant" as const, content: answer }].slice(-CHAT_MESSAGES_MAX);
  }

  #content(question: string): Message["content"] {
    if (this.#turns.length > 0 || this.#pictures.length === 0) return question;
    const pictures = this.#pictures.map((url) => ({ type: "image_url" as const, image_url: { url } }));
    return [...pictures, { type: "text", text: question }];
  }

  reset(): void {
    this.#turns = [];
  }
}
