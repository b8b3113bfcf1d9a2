import { TOOL_CALL_MARKS, type ToolCallEvent, type ToolCallMark, ToolCallParser } from "@drover/chat";
import type { Tokenizer } from "@drover/tokenizer";
import type { ToolCallRules } from "../request/generation-query.ts";
import type { ToolCall } from "./output.ts";

export type ChoicePart = Readonly<{ text: string; toolCalls: readonly ToolCall[] }>;

/** One choice's tool calls: its text in, what is left of it and the calls out. */
export class ChoiceToolCalls {
  readonly #parser: ToolCallParser;
  readonly #parallel: boolean;
  readonly #idPrefix: string;
  readonly #markOfToken: ReadonlyMap<number, ToolCallMark>;
  /** Marks by the length of the text before them: a stop string's begin may hold that text back. */
  readonly #waiting: { mark: ToolCallMark; offset: number }[] = [];
  #readLength = 0;
  #parsedLength = 0;

  /** `idPrefix` is unique to the choice. */
  constructor(rules: ToolCallRules, tokenizer: Tokenizer, idPrefix: string) {
    this.#parser = new ToolCallParser(rules.names);
    this.#parallel = rules.parallel;
    this.#idPrefix = idPrefix;
    this.#markOfToken = new Map(
      TOOL_CALL_MARKS.flatMap((mark) => {
        const id = tokenizer.specialId(mark);
        return id === undefined ? [] : [[id, mark] as const];
      }),
    );
  }

  get callCount(): number {
    return this.#parser.callCount;
  }

  /** Every token as it comes, with the text that it gives. */
  read(tokenId: number, text: string): void {
    const mark = this.#markOfToken.get(tokenId);
    if (mark !== undefined) this.#waiting.push({ mark, offset: this.#readLength });
    this.#readLength += text.length;
  }

  /** Text of the tokens that were read, as far as no stop string may begin in it. `last` where the choice ends with it, `byModel` where the model ended it itself. */
  parse(text: string, last: boolean, byModel: boolean): ChoicePart {
    const events: ToolCallEvent[] = [];
    let from = 0;
    while (true) {
      const [next] = this.#waiting;
      if (next === undefined || next.offset > this.#parsedLength + text.length) break;
      const at = next.offset - this.#parsedLength;
      events.push(...this.#parser.push(text.slice(from, at)), ...this.#parser.mark(next.mark));
      from = at;
      this.#waiting.shift();
    }
    events.push(...this.#parser.push(text.slice(from)));
    if (last) events.push(...this.#parser.end(byModel));
    this.#parsedLength += text.length;
    return {
      text: events.map((event) => (event.kind === "text" ? event.text : "")).join(""),
      toolCalls: events.flatMap((event) => this.#toolCall(event)),
    };
  }

  /** Without `parallel`, a client gets the first call alone; once it has answered that, the model may ask for the next. */
  #toolCall(event: ToolCallEvent): ToolCall[] {
    if (event.kind !== "call" || (event.index > 0 && !this.#parallel)) return [];
    const { index, name, arguments: written } = event;
    return [{ id: `${this.#idPrefix}${index.toString(16).padStart(4, "0")}`, index, name, arguments: written }];
  }
}

/** The begin of all ids of one choice's calls. OpenAI's own interface takes ids of up to 40 characters. */
export function toolCallIdPrefix(requestId: string, choice: number): string {
  return `call_${requestId.replaceAll("-", "").slice(0, 24)}${choice.toString(16).padStart(2, "0")}`;
}
