import { NESTING_DEPTH_MAX } from "./limits.ts";
import { type Characters, exactly, type Production, refuse, space } from "./tool-call-characters.ts";

/** Any JSON value; stops behind it. Source: RFC 8259. */
export function* jsonValue(characters: Characters): Production<void> {
  const { char } = characters;
  if (char === "{") yield* jsonObject(characters);
  else if (char === '"') yield* jsonString(characters);
  else if (char === "t") yield* exactly(characters, "true");
  else if (char === "f") yield* exactly(characters, "false");
  else if (char === "n") yield* exactly(characters, "null");
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
    if (characters.char !== '"') yield* refuse(characters);
    yield* jsonString(characters);
    yield;
    yield* colon(characters);
    yield* jsonValue(characters);
    yield* comma(characters, "}");
  }
  characters.depth--;
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

/** Behind a value: stops on `close`, or behind a comma on what must be the next value. */
export function* comma(characters: Characters, close: string): Production<void> {
  yield* space(characters);
  if (characters.char === close) return;
  yield* exactly(characters, ",");
  yield;
  yield* space(characters);
  if (characters.char === close) yield* refuse(characters);
}

/** From quote to quote; stops on the closing one. */
export function* jsonString(characters: Characters): Production<void> {
  yield;
  while (characters.char !== '"') {
    if (characters.char < " ") yield* refuse(characters);
    if (characters.char === "\\") {
      yield;
      if (characters.isOneOf("u")) {
        for (let i = 0; i < 4; i++) {
          yield;
          if (!/[0-9a-fA-F]/.test(characters.char)) yield* refuse(characters);
        }
      } else if (!characters.isOneOf('"\\/bfnrt')) yield* refuse(characters);
    }
    yield;
  }
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
