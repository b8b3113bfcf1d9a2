import { HELD_LENGTH_MAX } from "./limits.ts";
import { ToolCallCandidate } from "./tool-call-candidate.ts";
import { isSpace } from "./tool-call-characters.ts";

/** Special tokens that mean something to calls. They give no text themselves. */
export const TOOL_CALL_MARKS = ["<|python_start|>", "<|python_end|>", "<|eom|>", "<|eot|>"] as const;
export type ToolCallMark = (typeof TOOL_CALL_MARKS)[number];

/**
 * A part of what the model wrote. The texts and sources of all parts, one after the other, are what it wrote. `text` is for the reader;
 * `call` is a whole call, whose `arguments` are a JSON object; `gap` is white space and separators beside calls, which say nothing.
 */
export type ToolCallEvent =
  | Readonly<{ kind: "text"; text: string }>
  | Readonly<{ kind: "call"; index: number; name: string; arguments: string; source: string }>
  | Readonly<{ kind: "gap"; source: string }>;

/**
 * Finds tool calls in a model's output while it streams, in all formats that Llama 4 writes: `{"name": ..., "parameters": {...}}`,
 * `[f(a="x"), g(n=1)]`, `<function=f>{...}</function>`, and these between python marks.
 *
 * A call is given when it is whole, a list of calls when the list is, so nothing that was given is ever taken back. Text that may still become a
 * call is held until then, up to HELD_LENGTH_MAX. What does not parse, and lists with a function that is not among `names`, are text. No call
 * begins inside another piece of JSON. Time is linear in the text, whatever it is.
 */
export class ToolCallParser {
  readonly #names: ReadonlySet<string>;
  #candidate: ToolCallCandidate | undefined;
  /** Where the candidate is known to be text, and passes as it comes. */
  #plain = false;
  /** At the begin or behind a call: white space, and behind a call separators, wait in the gap. */
  #atEdge = true;
  #gap = "";
  #callCount = 0;
  #marked = false;
  #events: ToolCallEvent[] = [];

  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
  }

  get callCount(): number {
    return this.#callCount;
  }

  /** The next text, in whole characters. */
  push(text: string): ToolCallEvent[] {
    let at = 0;
    while (at < text.length)
      at = this.#candidate === undefined ? this.#look(text, at) : this.#feed(this.#candidate, text, at);
    return this.#take();
  }

  /** A special token between two texts: no call goes on over it. One that ends what the model writes there ends a call too, also where its brackets are missing. */
  mark(mark: ToolCallMark): ToolCallEvent[] {
    this.#abandon(mark !== "<|python_start|>");
    if (mark === "<|python_start|>") this.#atEdge = true;
    this.#marked = mark === "<|python_start|>";
    return this.#take();
  }

  /** The end of the output: what is held comes out. `byModel` where the model ended its turn itself, and nothing cut it off. */
  end(byModel: boolean): ToolCallEvent[] {
    this.#abandon(byModel);
    if (this.#gap !== "" && this.#callCount > 0) this.#events.push({ kind: "gap", source: this.#gap });
    else this.#text(this.#gap);
    this.#gap = "";
    return this.#take();
  }

  /** Outside of candidates: passes text up to where a call may begin. Returns where it stopped. */
  #look(text: string, from: number): number {
    let at = from;
    if (this.#atEdge) {
      while (at < text.length && this.#isGap(text.charAt(at))) at++;
      this.#gap += text.slice(from, at);
      if (this.#gap.length >= HELD_LENGTH_MAX) this.#leaveEdge();
      if (at === text.length) return at;
    }
    const begin = at;
    while (at < text.length) {
      this.#candidate = ToolCallCandidate.begin(text.charAt(at), this.#atEdge && this.#marked);
      this.#plain = false;
      if (this.#candidate !== undefined) break;
      this.#leaveEdge();
      at++;
    }
    this.#text(text.slice(begin, at));
    return at;
  }

  #feed(candidate: ToolCallCandidate, text: string, from: number): number {
    let passed = from;
    for (let at = from; at < text.length; at++) {
      const state = candidate.take(text.charAt(at));
      if (state.kind === "held") continue;
      if (state.kind === "plain") {
        if (this.#plain) continue;
        this.#plain = true;
        this.#giveAsText(candidate.text);
        passed = at + 1;
        continue;
      }
      this.#candidate = undefined;
      const next = state.kind === "broken" ? at : at + 1;
      if (this.#plain) this.#text(text.slice(passed, next));
      else if (state.kind === "broken") this.#giveAsText(candidate.text);
      else this.#giveParts(candidate.text, state.parts);
      return next;
    }
    if (this.#plain) this.#text(text.slice(passed));
    return text.length;
  }

  #giveParts(text: string, parts: readonly { name: string | undefined; arguments: string; end: number }[]): void {
    const named = parts.flatMap(({ name, ...part }) =>
      name !== undefined && this.#names.has(name) ? [{ ...part, name }] : [],
    );
    // Where one of a list cannot be called, a client gets the whole list to read, and no part of it to act on. `[]` has ended at once.
    if (named.length < parts.length || parts.length === 0) {
      this.#giveAsText(text);
      return;
    }
    let begin = 0;
    named.forEach((part, i) => {
      // Brackets and separators go with the part before which they stand, the last ones with the last part.
      const end = i === named.length - 1 ? text.length : part.end;
      const source = text.slice(begin, end);
      begin = end;
      const call = { index: this.#callCount++, name: part.name, arguments: part.arguments };
      this.#events.push({ kind: "call", ...call, source: this.#gap + source });
      this.#gap = "";
      this.#atEdge = true;
    });
  }

  /** Lets go of the candidate: as calls where the model is done and only what closes them is missing, else as text. */
  #abandon(isDone: boolean): void {
    const candidate = this.#candidate;
    this.#candidate = undefined;
    if (candidate === undefined || this.#plain) return;
    const parts = isDone ? candidate.completed() : undefined;
    if (parts === undefined) this.#giveAsText(candidate.text);
    else this.#giveParts(candidate.text, parts);
  }

  #giveAsText(text: string): void {
    this.#leaveEdge();
    this.#text(text);
  }

  #leaveEdge(): void {
    if (!this.#atEdge) return;
    this.#atEdge = false;
    this.#text(this.#gap);
    this.#gap = "";
  }

  #isGap(char: string): boolean {
    return isSpace(char) || (this.#callCount > 0 && (char === ";" || char === ","));
  }

  /** Texts that follow each other are one event. */
  #text(text: string): void {
    if (text === "") return;
    const last = this.#events.at(-1);
    if (last?.kind === "text") this.#events[this.#events.length - 1] = { kind: "text", text: last.text + text };
    else this.#events.push({ kind: "text", text });
  }

  #take(): ToolCallEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
