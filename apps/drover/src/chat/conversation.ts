import { CHAT_MESSAGES_MAX } from "../limits.ts";
import type { ChatClient, Message } from "./chat-client.ts";
import { ChatSettings } from "./chat-settings.ts";

export type ConversationOptions = Readonly<{
  /** What the system says before everything; undefined: nothing. */
  system?: string | undefined;
  /** URLs of pictures that come with the first question, and again after a reset. */
  pictures?: readonly string[];
}>;

/** What was said so far. Only answers that came to their end are remembered, with their question. */
export class Conversation {
  readonly settings = new ChatSettings();
  readonly #client: Pick<ChatClient, "stream"> & Partial<Pick<ChatClient, "url">>;
  readonly #model: string;
  readonly #firstPictures: readonly string[];
  #system: readonly Message[];
  #turns: Message[] = [];
  #pictures: string[];
  #lastTokenCount: number | undefined;

  constructor(
    client: Pick<ChatClient, "stream"> & Partial<Pick<ChatClient, "url">>,
    model: string,
    { system, pictures = [] }: ConversationOptions = {},
  ) {
    this.#client = client;
    this.#model = model;
    this.#firstPictures = pictures;
    this.#pictures = [...pictures];
    this.#system = system === undefined ? [] : [{ role: "system", content: system }];
  }

  /** Who answers, and where. */
  get title(): string {
    return this.#client.url === undefined ? this.#model : `${this.#model} at ${this.#client.url}`;
  }

  /** Tokens of the last answer that came to its end, as the server counts; undefined where it does not. */
  get lastTokenCount(): number | undefined {
    return this.#lastTokenCount;
  }

  /** The answer in pieces. Errors: as the client's; the question is then forgotten, and its pictures come with the next one. */
  async *ask(question: string, signal: AbortSignal): AsyncGenerator<string> {
    const asked: Message = { role: "user", content: this.#content(question) };
    const messages = [...this.#system, ...this.#turns, asked];
    let answer = "";
    this.#lastTokenCount = undefined;
    for await (const piece of this.#client.stream(this.#model, messages, signal, this.settings.fields)) {
      if ("tokenCount" in piece) this.#lastTokenCount = piece.tokenCount;
      else {
        answer += piece.text;
        yield piece.text;
      }
    }
    this.#pictures = [];
    this.#turns = [...this.#turns, asked, { role: "assistant" as const, content: answer }].slice(-CHAT_MESSAGES_MAX);
  }

  /** Shows a picture with the next question. */
  show(url: string): void {
    this.#pictures.push(url);
  }

  /** Begins anew with another system message; an empty one is none. */
  instruct(system: string): void {
    this.#system = system === "" ? [] : [{ role: "system", content: system }];
    this.reset();
  }

  /** Forgets what was said. */
  reset(): void {
    this.#turns = [];
    this.#pictures = [...this.#firstPictures];
  }

  #content(question: string): Message["content"] {
    if (this.#pictures.length === 0) return question;
    const pictures = this.#pictures.map((url) => ({ type: "image_url" as const, image_url: { url } }));
    return [...pictures, { type: "text", text: question }];
  }
}
