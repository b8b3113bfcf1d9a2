import { HELD_LENGTH_MAX } from "./limits.ts";
import { Characters, type FoundCall, type Production, space } from "./tool-call-characters.ts";
import { jsonCall, jsonCallArray } from "./tool-call-json.ts";
import { pythonCall, pythonCallList } from "./tool-call-python.ts";
import { functionTag, TAG_END } from "./tool-call-tag.ts";
import { jsonArrayRest } from "./tool-json-value.ts";
import { isPythonNameStart } from "./tool-python-literal.ts";

/**
 * What is known after one more character: it may still become calls; it cannot, but goes on as one piece of text; it has ended, with what was
 * found; or the character does not belong to it.
 */
export type CandidateState =
  | Readonly<{ kind: "held" }>
  | Readonly<{ kind: "plain" }>
  | Readonly<{ kind: "broken" }>
  | Readonly<{ kind: "ended"; parts: readonly FoundCall[] }>;

/** What closes a call, by the character that it begins with: a model that ends its turn may leave it out. */
const ENDINGS: Readonly<Record<string, readonly string[]>> = {
  "{": ["}", "}}"],
  "[": ["]", ")]", "}]", "}}]"],
  "<": [TAG_END, `}${TAG_END}`, ...Array.from(TAG_END, (_, i) => TAG_END.slice(i + 1)).slice(0, -1)],
};
const BARE_ENDINGS = [")"];

const HELD = { kind: "held" } as const;
const PLAIN = { kind: "plain" } as const;
const BROKEN = { kind: "broken" } as const;

type Grammar = (characters: Characters) => Production<readonly FoundCall[]>;

/** A piece of text that begins as a call does. Takes constant time for a character. */
export class ToolCallCandidate {
  readonly #characters = new Characters();
  readonly #grammar: Grammar;
  readonly #production: Production<readonly FoundCall[]>;

  /** Undefined where no call begins with this character. A call without brackets, `f(x=1)`, is one only between python marks. */
  static begin(char: string, marked: boolean): ToolCallCandidate | undefined {
    if (char === "{") return new ToolCallCandidate(jsonCall);
    if (char === "[") return new ToolCallCandidate(list);
    if (char === "<") return new ToolCallCandidate(functionTag);
    return marked && isPythonNameStart(char) ? new ToolCallCandidate(bareCall) : undefined;
  }

  private constructor(grammar: Grammar) {
    this.#grammar = grammar;
    this.#production = grammar(this.#characters);
  }

  /** All that was held, without a character that broke it. */
  get text(): string {
    return this.#characters.malformed ? this.#characters.text.slice(0, -1) : this.#characters.text;
  }

  take(char: string): CandidateState {
    const characters = this.#characters;
    characters.take(char);
    const step = this.#production.next();
    if (characters.malformed) return BROKEN;
    if (step.done) return { kind: "ended", parts: characters.plain ? [] : step.value };
    if (characters.text.length >= HELD_LENGTH_MAX && !characters.plain) {
      characters.tooLong = true;
      characters.plain = true;
    }
    return characters.plain ? PLAIN : HELD;
  }

  /** The calls of a text that only lacks what closes them; undefined where an argument is not whole, or another one was to come. */
  completed(): readonly FoundCall[] | undefined {
    const { text } = this;
    if (this.#characters.plain || this.#characters.malformed || /[,:=([{>]/.test(text.trimEnd().slice(-1)))
      return undefined;
    for (const ending of ENDINGS[text.charAt(0)] ?? BARE_ENDINGS) {
      const whole = new ToolCallCandidate(this.#grammar);
      const state = whole.#takeAll(text + ending);
      if (state.kind === "ended") return state.parts;
    }
    return undefined;
  }

  #takeAll(text: string): CandidateState {
    let state: CandidateState = HELD;
    for (let i = 0; i < text.length && state.kind === "held"; i++) {
      state = this.take(text.charAt(i));
      if (state.kind === "ended" && i + 1 < text.length) return BROKEN;
    }
    return state;
  }
}

/** What begins with `[`: pythonic calls, call objects, or some other array. */
function* list(characters: Characters): Production<readonly FoundCall[]> {
  yield;
  yield* space(characters);
  if (characters.char === "{") return yield* jsonCallArray(characters);
  if (isPythonNameStart(characters.char)) return yield* pythonCallList(characters);
  characters.plain = true;
  yield* jsonArrayRest(characters);
  return [];
}

function* bareCall(characters: Characters): Production<readonly FoundCall[]> {
  const call = yield* pythonCall(characters);
  return [call];
}
