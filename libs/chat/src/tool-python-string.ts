import { type Characters, type Production, refuse } from "./tool-call-characters.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const HEX_LENGTHS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * What a Python string stands for, from its opening quote; single, double and triple quotes. Stops behind the closing one. A line may end in
 * each of them: models write scripts and patches so.
 */
export function* pythonString(characters: Characters, raw: boolean): Production<string> {
  const quote = characters.char;
  yield;
  if (characters.char !== quote) return yield* body(characters, quote, 1, raw);
  yield;
  if (characters.char !== quote) return "";
  yield;
  return yield* body(characters, quote, 3, raw);
}

function* body(characters: Characters, quote: string, quoteCount: number, raw: boolean): Production<string> {
  let text = "";
  let quotes = 0;
  while (true) {
    const { char } = characters;
    if (char === quote) {
      yield;
      if (++quotes === quoteCount) return text;
      continue;
    }
    text += quote.repeat(quotes);
    quotes = 0;
    if (char === "\\") text += yield* escaped(characters, raw);
    else {
      text += char;
      yield;
    }
  }
}

/** From the backslash; stops behind the escape. One that Python does not know stands for itself. */
function* escaped(characters: Characters, raw: boolean): Production<string> {
  yield;
  const { char } = characters;
  if (!raw && char >= "0" && char <= "7") return yield* octal(characters);
  // A character by its name takes Unicode's table of names.
  if (!raw && char === "N") return yield* refuse(characters);
  yield;
  if (raw) return `\\${char}`;
  const length = HEX_LENGTHS[char];
  if (length !== undefined) return yield* hexadecimal(characters, length);
  return ESCAPES[char] ?? `\\${char}`;
}

function* octal(characters: Characters): Production<string> {
  let digits = "";
  while (digits.length < 3 && characters.char >= "0" && characters.char <= "7") {
    digits += characters.char;
    yield;
  }
  return String.fromCharCode(Number.parseInt(digits, 8));
}

function* hexadecimal(characters: Characters, length: number): Production<string> {
  let digits = "";
  while (digits.length < length) {
    if (!/[\da-fA-F]/.test(characters.char)) yield* refuse(characters);
    digits += characters.char;
    // The code point must exist before its last digit is taken.
    if (digits.length === length && Number.parseInt(digits, 16) > 0x10ffff) yield* refuse(characters);
    yield;
  }
  return String.fromCodePoint(Number.parseInt(digits, 16));
}
