/**
 * Tells what a template wrote from what a client did. The template's own `<|` and `|>` carry a mark outside; a client's text is free of marks, since
 * its escape character is escaped. Both are noncharacters, which no text should hold.
 */
const ESCAPE = "\ufdd0";
const MARK = `${ESCAPE}\ufdd1`;
const ESCAPED = `${ESCAPE}\ufdd2`;

/** A template's literal, with its delimiters marked. */
export function markTrusted(literal: string): string {
  return literal.replaceAll("<|", `${MARK}<|`).replaceAll("|>", `|>${MARK}`);
}

/** A client's text, which must never pass for the template's. */
export function escapeMarks(text: string): string {
  const formed = text.toWellFormed();
  return formed.includes(ESCAPE) ? formed.replaceAll(ESCAPE, ESCAPED) : formed;
}

/** The text without marks. */
export function withoutMarks(text: string): string {
  return text.replaceAll(MARK, "").replaceAll(ESCAPED, ESCAPE);
}

const TRUSTED = new RegExp(`${MARK}(<\\|[^|<>]*\\|>)${MARK}`);

/** A rendering cut at what the template wrote as `<|...|>`: text at even places, and those at odd ones; no part has marks. */
export function splitTrusted(rendered: string): string[] {
  return rendered.split(TRUSTED).map(withoutMarks);
}

/**
 * Replaces characters by their escapes, as `repr` and ASCII-only JSON do: the template's marks stay as they are, and an escaped character is
 * seen as itself.
 */
export function escapeAround(text: string, pattern: RegExp, escaped: (character: string) => string): string {
  const both = new RegExp(`${ESCAPE}[\ufdd1\ufdd2]|${pattern.source}`, pattern.flags);
  return text.replaceAll(both, (found) => (found === MARK ? MARK : escaped(found === ESCAPED ? ESCAPE : found)));
}
