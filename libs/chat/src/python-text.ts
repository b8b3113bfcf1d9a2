import { tupleOf } from "@drover/core";
import type { TemplateValue } from "./template-values.ts";
import { escapeAround } from "./trusted-marks.ts";

/** `str(value)`: what `{{ value }}` writes in the reference. An undefined value is nothing. */
export function pythonText(value: TemplateValue): string {
  if (value.type === "StringValue") return String(value.value);
  return value.type === "UndefinedValue" ? "" : pythonRepr(value);
}

/** `repr(value)` */
export function pythonRepr(value: TemplateValue): string {
  switch (value.type) {
    case "StringValue":
      return quoted(String(value.value));
    case "IntegerValue":
      return String(value.value);
    case "FloatValue":
      return pythonFloat(Number(value.value));
    case "BooleanValue":
      return value.value === true ? "True" : "False";
    case "NullValue":
      return "None";
    case "UndefinedValue":
      return "Undefined";
    case "TupleValue": {
      const items = itemsOf(value).map(pythonRepr);
      return items.length === 1 ? `(${items[0]},)` : `(${items.join(", ")})`;
    }
    case "ArrayValue":
      return `[${itemsOf(value).map(pythonRepr).join(", ")}]`;
    case "ObjectValue":
    case "KeywordArgumentsValue":
    case "NamespaceValue":
      return `{${entriesOf(value)
        .map(([key, item]) => `${quoted(key)}: ${pythonRepr(item)}`)
        .join(", ")}}`;
    default:
      throw new Error(`a ${value.type} has no text`);
  }
}

export type JsonStyle = Readonly<{
  indent: number | undefined;
  ensureAscii: boolean;
  itemSeparator: string;
  keySeparator: string;
  sortKeys: boolean;
}>;

/** `json.dumps(value, ...)` */
export function pythonJson(value: TemplateValue, style: JsonStyle, depth = 0): string {
  switch (value.type) {
    case "NullValue":
      return "null";
    case "BooleanValue":
      return String(value.value);
    case "IntegerValue":
      return String(value.value);
    case "FloatValue":
      return JSON_CONSTANTS[String(value.value)] ?? pythonFloat(Number(value.value));
    case "StringValue":
      return jsonString(String(value.value), style);
    case "ArrayValue":
    case "TupleValue": {
      const items = itemsOf(value).map((item) => pythonJson(item, style, depth + 1));
      return enclosed("[", items, "]", style, depth);
    }
    case "ObjectValue":
    case "NamespaceValue": {
      const entries = entriesOf(value);
      // UTF-8 sorts as code points do.
      if (style.sortKeys) entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      const items = entries.map(
        ([key, item]) => jsonString(key, style) + style.keySeparator + pythonJson(item, style, depth + 1),
      );
      return enclosed("{", items, "}", style, depth);
    }
    default:
      throw new Error(`a value of type ${value.type.replace("Value", "")} is not JSON serializable`);
  }
}

/** What Python's JSON has beyond JSON. */
const JSON_CONSTANTS: Readonly<Record<string, string>> = {
  NaN: "NaN",
  Infinity: "Infinity",
  "-Infinity": "-Infinity",
};

function enclosed(open: string, items: readonly string[], close: string, style: JsonStyle, depth: number): string {
  if (style.indent === undefined || items.length === 0) return open + items.join(style.itemSeparator) + close;
  const outer = `\n${" ".repeat(style.indent * depth)}`;
  const inner = `\n${" ".repeat(style.indent * (depth + 1))}`;
  return open + inner + items.join(style.itemSeparator + inner) + outer + close;
}

function jsonString(text: string, { ensureAscii }: JsonStyle): string {
  const json = JSON.stringify(text);
  if (!ensureAscii) return json;
  return escapeAround(json, /[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The shortest digits that give the double back, with an exponent below 1e-4 and from 1e16 on. */
function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const [digits, exponent] = tupleOf(value.toExponential().split("e"), 2);
  const power = Number(exponent);
  if (value !== 0 && (power < -4 || power >= 16)) {
    return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }
  // JavaScript writes digits without an exponent for all powers that are left.
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = escapeAround(text, /[\\'"]|[\p{C}\p{Z}]/gu, (character) => {
    if (character === " ") return character;
    if (character === "\\" || character === quote) return `\\${character}`;
    if (character === "'" || character === '"') return character;
    return SHORT_ESCAPES[character] ?? numericEscape(character.codePointAt(0) ?? 0);
  });
  return quote + escaped + quote;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function numericEscape(point: number): string {
  if (point < 0x100) return `\\x${point.toString(16).padStart(2, "0")}`;
  if (point < 0x10000) return `\\u${point.toString(16).padStart(4, "0")}`;
  return `\\U${point.toString(16).padStart(8, "0")}`;
}

function itemsOf(value: TemplateValue): readonly TemplateValue[] {
  return Array.isArray(value.value) ? value.value : [];
}

function entriesOf(value: TemplateValue): [string, TemplateValue][] {
  return value.value instanceof Map ? [...value.value] : [];
}
