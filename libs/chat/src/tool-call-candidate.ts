import { HELD_LENGTH_MAX } from "./limits.ts";
import { Characters, type FoundCall, type Production, space } from "./tool-call-characters.ts";
import { jsonCall, jsonCallArray } from "./tool-call-json.ts";
import { pythonCall, pythonCallList } from "./tool-call-python.ts";
import { functionTag } from "./tool-call-tag.ts";
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

const HELD = { kind: "held" } as const;
const PLAIN = { kind: "plain" } as const;
const BROKEN = { kind: "broken" } as const;

/** A piece of text that begins as a call does. Takes constant time for a character. */
export class ToolCallCandidate {
  readonly #characters = new Characters();
  readonly #production: Production<readonly FoundCall[]>;

  /** Undefined where no call begins with this character. A call without brackets, `f(x=1)`, is one only between python marks. */
  static begin(char: string, marked: boolean): ToolCallCandidate | undefined {
    if (char === "{") return new ToolCallCandidate(jsonCall);
    if (char === "[") return new ToolCallCandidate(list);
    if (char === "<") return new ToolCallCandidate(functionTag);
    return marked && isPythonNameStart(char) ? new ToolCallCandidate(bareCall) : undefined;
  }

  private constructor(grammar: (characters: Characters) => Production<readonly FoundCall[]>) {
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
    if (characters.text.length >= HELD_LENGTH_MAX) characters.plain = true;
    return characters.plain ? PLAIN : HELD;
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
