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

/**
 * Parses a request's JSON: `tools` and `chat_template_kwargs`, which a template may write, as `parseExactJson` does, also messages whose calls have their arguments
 * as objects, and all else as JSON.parse.
 * Throws SyntaxError as JSON.parse does.
 */
export function parseRequestJson(text: string): unknown {
  const body: unknown = JSON.parse(text);
  if (typeof body !== "object" || body === null) return body;
  const written = WRITTEN.filter((name) => Object.hasOwn(body, name));
  if (Object.hasOwn(body, "messages") && /"arguments"\s*:\s*[{[]/.test(text)) written.push("messages");
  if (written.length === 0) return body;
  const exact = Object(parseExactJson(text)) as Readonly<Record<string, unknown>>;
  return { ...body, ...Object.fromEntries(written.map((name) => [name, exact[name]])) };
}

const WRITTEN = ["tools", "chat_template_kwargs"];

function exactNumber(value: number, source: string): unknown {
  if (/[.eE]/.test(source)) return Number.isInteger(value) ? Object(value) : value;
  return Number.isSafeInteger(value) ? value : BigInt(source);
}
