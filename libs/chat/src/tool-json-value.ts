import { NESTING_DEPTH_MAX } from "./limits.ts";
import { Characters, exactly, type Production, refuse, space } from "./tool-call-characters.ts";

/** Python's constants, which models write into JSON, by their first letters. */
const PYTHON_WORDS: Readonly<Record<string, readonly [python: string, json: string]>> = {
  T: ["True", "true"],
  F: ["False", "false"],
  N: ["None", "null"],
};

/** Any JSON value; stops behind it. In calls Python's constants too, repaired. Source: RFC 8259. */
export function* jsonValue(characters: Characters): Production<void> {
  const { char } = characters;
  if (char === "{") yield* jsonObject(characters);
  else if (isStringBegin(characters)) yield* jsonString(characters);
  else if (char === "t") yield* exactly(characters, "true");
  else if (char === "f") yield* exactly(characters, "false");
  else if (char === "n") yield* exactly(characters, "null");
  else if (characters.isLenient && Object.hasOwn(PYTHON_WORDS, char)) yield* pythonWord(characters);
  else if (char === "[") {
    yield;
    yield* space(characters);
    yield* jsonArrayRest(characters);
  } else return yield* jsonNumber(characters);
  yield;
}

/** From `{`; stops on `}`. */
export function* jsonObject(characters: Characters): Production<void> {
  yield* nest(characters);
  yield;
  yield* space(characters);
  while (characters.char !== "}") {
    if (!isStringBegin(characters)) yield* refuse(characters);
    yield* jsonString(characters);
    yield;
    yield* colon(characters);
    yield* jsonValue(characters);
    yield* comma(characters, "}");
  }
  characters.depth--;
}

/** A text that is one JSON object as models write it, repaired; undefined for another. */
export function repairedJsonObject(text: string): string | undefined {
  const characters = new Characters();
  const production = jsonObject(characters);
  for (let i = 0; i < text.length; i++) {
    characters.take(text.charAt(i));
    if (i === 0 && characters.char !== "{") return undefined;
    const { done } = production.next();
    if (characters.malformed) return undefined;
    if (done) return i + 1 === text.length ? characters.repaired(0, text.length) : undefined;
  }
  return undefined;
}

/** An array behind its `[` and the space after that; stops on `]`. */
export function* jsonArrayRest(characters: Characters): Production<void> {
  yield* nest(characters);
  while (characters.char !== "]") {
    yield* jsonValue(characters);
    yield* comma(characters, "]");
  }
  characters.depth--;
}

/** One bracket deeper. */
export function* nest(characters: Characters): Production<void> {
  if (++characters.depth > NESTING_DEPTH_MAX) yield* refuse(characters);
}

/** From behind a key to its value. */
export function* colon(characters: Characters): Production<void> {
  yield* space(characters);
  yield* exactly(characters, ":");
  yield;
  yield* space(characters);
}

/** Behind a value: stops on `close`, or behind a comma on what must be the next value. In calls a comma may also be the last sign, repaired. */
export function* comma(characters: Characters, close: string): Production<void> {
  yield* space(characters);
  if (characters.char === close) return;
  const { offset } = characters;
  yield* exactly(characters, ",");
  yield;
  yield* space(characters);
  if (characters.char !== close) return;
  if (!characters.isLenient) yield* refuse(characters);
  characters.repair(offset, 1, "");
}

/** Whether a string begins; in calls with Python's other quote too. */
export function isStringBegin(characters: Characters): boolean {
  return characters.isOneOf('"') || (characters.isLenient && characters.isOneOf("'"));
}

/** From quote to quote; stops on the closing one. In calls with control characters, escapes and quotes that JSON lacks, repaired. */
export function* jsonString(characters: Characters): Production<void> {
  const quote = characters.char;
  const isSingle = quote === "'";
  if (isSingle) characters.repair(characters.offset, 1, '"');
  yield;
  while (characters.char !== quote) {
    if (isSingle && characters.isOneOf('"')) characters.repair(characters.offset, 1, '\\"');
    if (characters.char < " ") {
      if (!characters.isLenient) yield* refuse(characters);
      characters.repair(characters.offset, 1, JSON.stringify(characters.char).slice(1, -1));
    }
    if (characters.char === "\\") yield* jsonEscape(characters);
    else yield;
  }
  if (isSingle) characters.repair(characters.offset, 1, '"');
}

/** From the backslash; stops behind the escape. One that JSON does not know stands for itself, as in Python: then, but for an apostrophe, it stops behind the backslash. */
function* jsonEscape(characters: Characters): Production<void> {
  const start = characters.offset;
  yield;
  if (characters.isOneOf('"\\/bfnrt')) {
    yield;
    return;
  }
  if (characters.isOneOf("u")) {
    let digitCount = 0;
    yield;
    while (digitCount < 4 && /[0-9a-fA-F]/.test(characters.char)) {
      digitCount++;
      yield;
    }
    if (digitCount === 4) return;
  }
  if (!characters.isLenient) yield* refuse(characters);
  // No string needs an apostrophe escaped, and none that has one means the backslash.
  const isApostrophe = characters.isOneOf("'");
  characters.repair(start, 1, isApostrophe ? "" : "\\\\");
  if (isApostrophe) yield;
}

/** Stops on its last character. */
function* pythonWord(characters: Characters): Production<void> {
  const start = characters.offset;
  const [python, json] = PYTHON_WORDS[characters.char] ?? (yield* refuse(characters));
  yield* exactly(characters, python);
  characters.repair(start, python.length, json);
}

/** Stops behind it. */
function* jsonNumber(characters: Characters): Production<void> {
  if (characters.char === "-") yield;
  if (characters.char === "0") yield;
  else yield* digits(characters);
  if (characters.char === ".") {
    yield;
    yield* digits(characters);
  }
  if (characters.char === "e" || characters.char === "E") {
    yield;
    if (characters.isOneOf("+-")) yield;
    yield* digits(characters);
  }
}

function* digits(characters: Characters): Production<void> {
  if (!isDigit(characters.char)) yield* refuse(characters);
  while (isDigit(characters.char)) yield;
}

function isDigit(char: string): boolean {
  return char >= "0" && char <= "9";
}
