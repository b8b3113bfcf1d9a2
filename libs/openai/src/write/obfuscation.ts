import { Type } from "typebox";

/** What a chunk has of it. */
export const obfuscationField = {
  obfuscation: Type.Optional(Type.String({ description: "With `stream_options.include_obfuscation`: says nothing." })),
};

const CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/** Lengths of events are multiples of this, UTF-16 units. */
const STRIDE = 64;

/**
 * A field behind the others of an event that has no last brace yet: characters that make its length tell nothing of its text's to who sees only
 * encrypted bytes. Source: `stream_options.include_obfuscation` of OpenAI's API.
 */
export function obfuscation(text: string): string {
  return `,"obfuscation":"${filler(text)}"`;
}

/** The same, for an event's value that is written with this field as its last one. */
export function obfuscationOf(value: Readonly<Record<string, unknown>>): string {
  return filler(JSON.stringify(value).slice(0, -1));
}

function filler(text: string): string {
  const length = STRIDE - ((text.length + ',"obfuscation":""'.length) % STRIDE);
  // Drawn from the text, so that a compressing proxy finds nothing that repeats.
  let state = text.length;
  for (let i = Math.max(0, text.length - STRIDE); i < text.length; i++) state = mixed(state ^ text.charCodeAt(i));
  let filled = "";
  for (let i = 0; i < length; i++) {
    state = mixed(state);
    filled += CHARACTERS.charAt((state >>> 8) % CHARACTERS.length);
  }
  return filled;
}

/** Source: Numerical Recipes' linear congruential generator. */
const mixed = (state: number) => (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
