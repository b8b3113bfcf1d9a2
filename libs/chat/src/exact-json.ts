import { DroverError } from "@drover/core";
import { type JsonMember, jsonExtent } from "./json-extent.ts";
import { EXACT_VALUES_MAX, REQUEST_DEPTH_MAX, REQUEST_VALUES_MAX } from "./limits.ts";

/** A number as its author wrote it. */
type SourceContext = Readonly<{ source?: string }>;

/**
 * Parses JSON as Python reads it, so that a template can write its numbers as the reference does: a float without a fraction (`1.0`, `1e3`)
 * is a boxed Number, an integer beyond a double's precision is a bigint, all else is what JSON.parse makes of it. Such values can be sent to
 * another thread. Throws SyntaxError as JSON.parse does.
 */
export function parseExactJson(text: string): unknown {
  // Most texts have no such number, and a reviver costs more than the parse.
  if (!/\d(?:\.\d|[eE]|\d{15})/.test(text)) return JSON.parse(text);
  const revive = (_: string, value: unknown, context?: SourceContext): unknown =>
    typeof value === "number" ? exactNumber(value, context?.source ?? "") : value;
  return JSON.parse(text, revive);
}

/** For JSON.stringify, which takes all that `parseExactJson` makes but its big integers: they are written as doubles. */
export const plainNumber = (_: string, value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

/**
 * Parses a request's JSON: `tools` and `chat_template_kwargs`, which a template may write, as `parseExactJson` does, also messages whose calls
 * have their arguments as objects, and all else as JSON.parse. Nothing is parsed before it is measured. Errors: SyntaxError as JSON.parse does;
 * `invalid_argument` for what is beyond the limits.
 */
export function parseRequestJson(text: string): unknown {
  const { depth, valueCount, members } = jsonExtent(text);
  if (depth > REQUEST_DEPTH_MAX)
    throw new DroverError("invalid_argument", `the body is nested more than ${REQUEST_DEPTH_MAX} levels deep`);
  if (valueCount > REQUEST_VALUES_MAX)
    throw new DroverError("invalid_argument", `the body has more than ${REQUEST_VALUES_MAX} values`);
  const body: unknown = JSON.parse(text);
  if (typeof body !== "object" || body === null) return body;
  const written = /"arguments"\s*:\s*[{[]/.test(text) ? [...WRITTEN, "messages"] : WRITTEN;
  const exact: Record<string, unknown> = {};
  for (const field of written) {
    const member = members.get(field);
    if (member !== undefined) exact[field] = parseExactMember(text, field, member);
  }
  return Object.keys(exact).length === 0 ? body : { ...body, ...exact };
}

const WRITTEN = ["tools", "chat_template_kwargs"];

function parseExactMember(text: string, field: string, { start, end, valueCount }: JsonMember): unknown {
  // Here numbers count too: each of them is looked at.
  if (valueCount + commaCount(text, start, end) > EXACT_VALUES_MAX)
    throw new DroverError("invalid_argument", `may have at most ${EXACT_VALUES_MAX} values`, { field });
  return parseExactJson(text.slice(start, end));
}

function commaCount(text: string, start: number, end: number): number {
  let count = 0;
  for (let i = text.indexOf(",", start); i >= 0 && i < end; i = text.indexOf(",", i + 1)) count += 1;
  return count;
}

function exactNumber(value: number, source: string): unknown {
  if (/[.eE]/.test(source)) return Number.isInteger(value) ? Object(value) : value;
  return Number.isSafeInteger(value) ? value : BigInt(source);
}
