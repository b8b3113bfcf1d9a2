import { NESTING_DEPTH_MAX, NUMBER_LENGTH_MAX } from "./limits.ts";
import { type Characters, type Production, refuse, space } from "./tool-call-characters.ts";
import { pythonString } from "./tool-python-string.ts";

/** A value as JSON text. Only a scalar can be a dict's key. */
type Literal = Readonly<{ json: string; scalar: boolean }>;

/** Python's constants, and JSON's, which models mix in. */
const WORDS: Readonly<Record<string, string>> = {
  True: "true",
  False: "false",
  None: "null",
  true: "true",
  false: "false",
  null: "null",
};
/** Prefixes of strings that change nothing but escapes. */
const STRING_PREFIXES = ["r", "R", "u", "U"];
const LETTERS = [...Object.keys(WORDS), ...STRING_PREFIXES];

const DECIMAL = /^(?:0(?:_?0)*|[1-9](?:_?\d)*)$/;
const OTHER_BASE = /^0(?:[xX](?:_?[\da-fA-F])+|[oO](?:_?[0-7])+|[bB](?:_?[01])+)$/;
const FLOAT = /^(\d(?:_?\d)*)?(?:\.(\d(?:_?\d)*)?)?(?:[eE]([+-]?\d(?:_?\d)*))?$/;

/** A Python literal: string, number, constant, list, tuple or dict, nested. Stops behind it. Source: The Python Language Reference, 2.4 to 2.5 and 6.2. */
export function* pythonValue(characters: Characters): Production<Literal> {
  const { char } = characters;
  if (isQuote(char)) return yield* strings(characters, yield* pythonString(characters, false));
  if (char === "[") return { json: `[${(yield* items(characters, "]")).values.join(", ")}]`, scalar: false };
  if (char === "{") return yield* dict(characters);
  if (char === "(") {
    const { values, trailingComma } = yield* items(characters, ")");
    const [only] = values;
    // Brackets around one value without a comma are no tuple.
    if (values.length === 1 && only !== undefined && !trailingComma) return { json: only, scalar: false };
    return { json: `[${values.join(", ")}]`, scalar: false };
  }
  if (/[\d.+-]/.test(char)) return scalar(yield* number(characters));
  return yield* word(characters);
}

/** Behind a string: with those that stand beside it they are one. Stops behind the last one and the space after it. */
function* strings(characters: Characters, first: string): Production<Literal> {
  let text = first;
  yield* space(characters);
  while (isQuote(characters.char) || STRING_PREFIXES.includes(characters.char)) {
    const isRaw = characters.char.toLowerCase() === "r";
    if (!isQuote(characters.char)) yield;
    if (!isQuote(characters.char)) yield* refuse(characters);
    text += yield* pythonString(characters, isRaw);
    yield* space(characters);
  }
  return scalar(JSON.stringify(text));
}

function isQuote(char: string): boolean {
  return char === '"' || char === "'";
}

function scalar(json: string): Literal {
  return { json, scalar: true };
}

/** A function's or a parameter's name; a function's may have dots. Stops behind it. */
export function* pythonName(characters: Characters, dotted: boolean): Production<string> {
  let name = "";
  while (isNamePart(characters.char) || (dotted && characters.char === ".")) {
    name += characters.char;
    yield;
  }
  return name;
}

/** Letters of any script, as in Python; what follows may also be a dash, which tools have in their names. */
export function isPythonNameStart(char: string): boolean {
  return /[\p{L}_]/u.test(char);
}

function isNamePart(char: string): boolean {
  return /[\p{L}\p{M}\p{N}_-]/u.test(char);
}

function* word(characters: Characters): Production<Literal> {
  let read = "";
  while (LETTERS.some((letters) => letters.startsWith(read + characters.char))) {
    read += characters.char;
    yield;
  }
  const { char } = characters;
  if (STRING_PREFIXES.includes(read) && isQuote(char))
    return yield* strings(characters, yield* pythonString(characters, read.toLowerCase() === "r"));
  const json = Object.hasOwn(WORDS, read) && !isNamePart(char) ? WORDS[read] : undefined;
  return scalar(json ?? (yield* refuse(characters)));
}

function* number(characters: Characters): Production<string> {
  let sign = "";
  if (characters.char === "-" || characters.char === "+") {
    if (characters.char === "-") sign = "-";
    yield;
  }
  let read = "";
  while (/[\da-zA-Z_.]/.test(characters.char) || (/[+-]/.test(characters.char) && /^[\d_.]+[eE]$/.test(read))) {
    read += characters.char;
    if (read.length > NUMBER_LENGTH_MAX) yield* refuse(characters);
    yield;
  }
  return numberJson(sign, read) ?? (yield* refuse(characters));
}

function numberJson(sign: string, read: string): string | undefined {
  const digits = read.replaceAll("_", "");
  if (DECIMAL.test(read)) return digits.startsWith("0") ? "0" : sign + digits;
  if (OTHER_BASE.test(read)) return BigInt(digits) === 0n ? "0" : sign + BigInt(digits).toString();
  const parts = /[.eE]/.test(read) ? FLOAT.exec(read) : null;
  if (parts === null || (parts[1] === undefined && parts[2] === undefined)) return undefined;
  const [whole = "0", fraction = "0", exponent] = parts.slice(1).map((part) => part?.replaceAll("_", ""));
  // JSON has no leading zeros.
  return `${sign}${whole.replace(/^0+(?=\d)/, "")}.${fraction}${exponent === undefined ? "" : `e${exponent}`}`;
}

/** A list's or a tuple's values, from the opening bracket to behind the closing one. */
function* items(
  characters: Characters,
  close: string,
): Production<Readonly<{ values: string[]; trailingComma: boolean }>> {
  const values: string[] = [];
  let trailingComma = false;
  yield* open(characters);
  while (characters.char !== close) {
    values.push((yield* pythonValue(characters)).json);
    trailingComma = yield* separator(characters, close);
  }
  characters.depth--;
  yield;
  return { values, trailingComma };
}

function* dict(characters: Characters): Production<Literal> {
  const members: string[] = [];
  yield* open(characters);
  while (characters.char !== "}") {
    const { json, scalar } = yield* pythonValue(characters);
    yield* space(characters);
    if (characters.char !== ":" || !scalar) yield* refuse(characters);
    yield;
    yield* space(characters);
    // As json.dumps: other keys become their text.
    const key = json.startsWith('"') ? json : JSON.stringify(json);
    members.push(`${key}: ${(yield* pythonValue(characters)).json}`);
    yield* separator(characters, "}");
  }
  characters.depth--;
  yield;
  return { json: `{${members.join(", ")}}`, scalar: false };
}

function* open(characters: Characters): Production<void> {
  if (++characters.depth > NESTING_DEPTH_MAX) yield* refuse(characters);
  yield;
  yield* space(characters);
}

/** Behind a value: stops on `close` or on the next value. True after a comma. */
function* separator(characters: Characters, close: string): Production<boolean> {
  yield* space(characters);
  if (characters.char === close) return false;
  if (characters.char !== ",") yield* refuse(characters);
  yield;
  yield* space(characters);
  return true;
}
