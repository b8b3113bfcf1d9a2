import { RANGE_ITEMS_MAX } from "./limits.ts";
import { type JsonStyle, pythonJson, pythonRepr, pythonText } from "./python-text.ts";
import {
  arrayValue,
  floatValue,
  integerValue,
  stringValue,
  type TemplateValue,
  undefinedValue,
} from "./template-values.ts";

/** Arguments by position and by name. */
type Arguments = Readonly<{ given: readonly TemplateValue[]; named: ReadonlyMap<string, TemplateValue> }>;

/** What stands in for the interpreter's filters, which lack these or write JavaScript's text: as the reference does. */
export const FILTERS: Readonly<Record<string, (value: TemplateValue, args: Arguments) => TemplateValue>> = {
  tojson: (value, args) => stringValue(pythonJson(value, jsonStyle(args))),
  string: (value) => stringValue(pythonText(value)),
  trim: (value, args) => stringValue(strip(pythonText(value), args, "chars")),
  format: (value, { given }) => stringValue(formatted(pythonText(value), given)),
  join: (value, args) => {
    const separator = argument(args, 0, "d");
    const attribute = argument(args, 1, "attribute");
    const items = itemsOf(value).map((item) => (attribute === undefined ? item : attributeOf(item, attribute)));
    return stringValue(items.map(pythonText).join(separator === undefined ? "" : pythonText(separator)));
  },
  map: (value, { given, named }) => {
    const attribute = named.get("attribute");
    if (attribute !== undefined) return mapAttribute(value, attribute, named.get("default"));
    const [name, ...rest] = given;
    const filter = MAPPED[name === undefined ? "" : pythonText(name)];
    if (filter === undefined) throw new Error("map knows no such filter");
    return arrayValue(itemsOf(value).map((item) => filter(item, { given: rest, named })));
  },
};

const MAPPED: typeof FILTERS = {
  ...FILTERS,
  upper: (value) => stringValue(pythonText(value).toUpperCase()),
  lower: (value) => stringValue(pythonText(value).toLowerCase()),
  length: (value) => integerValue(value.type === "StringValue" ? [...pythonText(value)].length : itemsOf(value).length),
  int: (value) => integerValue(Math.trunc(Number(value.value)) || 0),
};

/** Splits a call's arguments into those by position and those by name, which come last. */
export function argumentsOf(args: readonly TemplateValue[]): Arguments {
  const last = args.at(-1);
  if (last?.type !== "KeywordArgumentsValue" || !(last.value instanceof Map)) return { given: args, named: new Map() };
  return { given: args.slice(0, -1), named: last.value };
}

/** Python's strip methods, whose white space is not JavaScript's. */
export const STRIPS: Readonly<Record<string, (text: string, args: Arguments) => string>> = {
  strip: (text, args) => strip(text, args, "chars"),
  lstrip: (text, args) => strip(text, args, "chars", "left"),
  rstrip: (text, args) => strip(text, args, "chars", "right"),
};

/** `left % right`: formatting, or a remainder with the divisor's sign. */
export function modulo(left: TemplateValue, right: TemplateValue): TemplateValue {
  if (left.type === "StringValue") {
    return stringValue(formatted(pythonText(left), right.type === "TupleValue" ? itemsOf(right) : [right]));
  }
  const a = Number(left.value);
  const b = Number(right.value);
  if (!isNumber(left) || !isNumber(right) || b === 0) throw new Error("% needs numbers, and no zero");
  const rest = a - b * Math.floor(a / b);
  return left.type === "FloatValue" || right.type === "FloatValue" ? floatValue(rest) : integerValue(rest);
}

/** `range(start, stop, step)` */
export function range(args: readonly TemplateValue[]): TemplateValue {
  const numbers = args.map(({ value }) => Number(value));
  const [first = 0, second, step = 1] = numbers;
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (step === 0 || !(count <= RANGE_ITEMS_MAX)) throw new Error(`range has more than ${RANGE_ITEMS_MAX} items`);
  return arrayValue(Array.from({ length: count }, (_, i) => integerValue(start + i * step)));
}

function jsonStyle(args: Arguments): JsonStyle {
  const indent = argument(args, 1, "indent");
  const separators = argument(args, 2, "separators");
  const [item, key] = separators === undefined ? [] : itemsOf(separators).map(pythonText);
  return {
    ensureAscii: isTrue(argument(args, 0, "ensure_ascii")),
    indent: indent === undefined || indent.type === "NullValue" ? undefined : Number(indent.value),
    itemSeparator: item ?? (indent === undefined || indent.type === "NullValue" ? ", " : ","),
    keySeparator: key ?? ": ",
    sortKeys: isTrue(argument(args, 3, "sort_keys")),
  };
}

function strip(text: string, args: Arguments, name: string, side: "left" | "right" | "both" = "both"): string {
  const given = argument(args, 0, name);
  const set = given === undefined || given.type === "NullValue" ? undefined : new Set(pythonText(given));
  const isOut = (character: string) => (set === undefined ? isPythonSpace(character) : set.has(character));
  let from = 0;
  let to = text.length;
  if (side !== "right") while (from < to && isOut(text.charAt(from))) from++;
  if (side !== "left") while (to > from && isOut(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}

/** `str.isspace()`: White_Space and four separators, without U+FEFF. */
function isPythonSpace(character: string): boolean {
  return (character >= "\u001c" && character <= "\u001f") || /^\p{White_Space}$/u.test(character);
}

function formatted(format: string, values: readonly TemplateValue[]): string {
  let next = 0;
  const text = format.replaceAll(/%(.)/gsu, (_, kind: string) => {
    if (kind === "%") return "%";
    const value = values[next++];
    if (value === undefined) throw new Error("not enough arguments for format string");
    if (kind === "s") return pythonText(value);
    if (kind === "r") return pythonRepr(value);
    if ((kind === "d" || kind === "i") && isNumber(value)) return String(Math.trunc(Number(value.value)));
    throw new Error(`%${kind} is not supported`);
  });
  if (next < values.length) throw new Error("not all arguments converted during string formatting");
  return text;
}

function mapAttribute(value: TemplateValue, attribute: TemplateValue, fallback: TemplateValue | undefined) {
  return arrayValue(
    itemsOf(value).map((item) => {
      const found = attributeOf(item, attribute);
      return found.type === "UndefinedValue" && fallback !== undefined ? fallback : found;
    }),
  );
}

function attributeOf(value: TemplateValue, path: TemplateValue): TemplateValue {
  let found = value;
  for (const name of pythonText(path).split(".")) {
    const inside: unknown = found.value instanceof Map ? found.value.get(name) : itemsOf(found)[Number(name)];
    if (inside === undefined) return undefinedValue();
    found = inside as TemplateValue;
  }
  return found;
}

function argument({ given, named }: Arguments, index: number, name: string): TemplateValue | undefined {
  return given[index] ?? named.get(name);
}

function itemsOf(value: TemplateValue): readonly TemplateValue[] {
  if (value.type === "StringValue") return [...pythonText(value)].map(stringValue);
  if (value.value instanceof Map) return [...value.value.keys()].map(stringValue);
  if (value.type === "UndefinedValue") return [];
  if (!Array.isArray(value.value)) throw new Error(`a ${value.type.replace("Value", "")} has no items`);
  return value.value;
}

function isTrue(value: TemplateValue | undefined): boolean {
  return value?.type === "BooleanValue" && value.value === true;
}

function isNumber(value: TemplateValue): boolean {
  return value.type === "IntegerValue" || value.type === "FloatValue" || value.type === "BooleanValue";
}
