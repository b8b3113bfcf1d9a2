import { DroverError } from "@drover/core";
import fc from "fast-check";
import { type TSchema, Type } from "typebox";
import { Value } from "typebox/value";
import { describe, expect, it } from "vitest";
import { ChatBody } from "../read/chat.ts";
import { CompletionBody } from "../read/completion.ts";
import { parserOf } from "./check.ts";

/** Whether `parserOf` takes the value. */
function isTaken(schema: TSchema, value: unknown): boolean {
  try {
    parserOf(schema)(value);
    return true;
  } catch (error) {
    if (error instanceof DroverError) return false;
    throw error;
  }
}

const CHAT = {
  model: "m",
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "t" },
        { type: "image_url", image_url: { url: "u", detail: "low" } },
      ],
    },
    { role: "assistant", content: null, tool_calls: [{ id: "i", function: { name: "f", arguments: "{}" } }] },
    { role: "tool", content: "r", tool_call_id: "i", name: "n" },
  ],
  tools: [{ type: "function", function: { name: "f", parameters: { type: "object" } } }],
  tool_choice: "auto",
  n: 2,
  temperature: 0.5,
  top_p: 0.5,
  logit_bias: { 5: 1, 6: null },
  seed: 4,
  stop: ["a"],
  stream: true,
  stream_options: { include_usage: true },
  logprobs: true,
  max_tokens: 4,
};
const COMPLETION = { model: "m", prompt: "hi", echo: true, logprobs: 3, stop: "a", top_k: 5, best_of: 1, min_p: 0.1 };

/** Every place in a body, as the path of keys that leads to it. */
function placesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, part]) => placesOf(part, [...path, key]))];
}

/** The body with another value at the place, or without it. */
function changed(body: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  if (Array.isArray(body)) return body.map((entry, i) => (String(i) === key ? changed(entry, rest, value) : entry));
  const object = body as Readonly<Record<string, unknown>>;
  const next = changed(object[key], rest, value);
  const { [key]: _, ...others } = object;
  return next === undefined ? others : { ...others, [key]: next };
}

/** What schemas say nothing of: text that is not Unicode, and integers beyond a double's. */
const plainValue = fc.oneof(
  fc.constantFrom<unknown>("", "a", "auto", "user", "text", "image_url", "function", null, true, undefined),
  fc.integer({ min: -200, max: 200 }),
  fc.double({ min: -3, max: 200, noNaN: true }),
  fc.array(fc.oneof(fc.string(), fc.integer({ min: -5, max: 300 }), fc.constant({})), { maxLength: 18 }),
  fc.record(
    { type: fc.constantFrom("text", "image_url", "other"), text: fc.constantFrom<unknown>("x", 5) },
    { requiredKeys: [] },
  ),
  fc.dictionary(fc.string({ minLength: 1, maxLength: 3 }), fc.oneof(fc.integer(), fc.string())),
);

describe("a schema's check", () => {
  it.each([
    ["chat", ChatBody, CHAT],
    ["completion", CompletionBody, COMPLETION],
  ] as const)("takes a %s body exactly where the schema does", (_name, schema, body) => {
    const places = placesOf(body);
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...places), plainValue), { maxLength: 2 }), (changes) => {
        const value = changes.reduce<unknown>(
          (made, [place, part]) =>
            placesOf(made).some((one) => String(one) === String(place)) ? changed(made, place, part) : made,
          body,
        );
        // The ids of a prompt are checked with the vocabulary.
        fc.pre(typeof value !== "object" || value === null || !("prompt" in value) || !Array.isArray(value.prompt));
        const taken = Value.Check(schema, value);
        seen[taken ? "taken" : "refused"] += 1;
        expect(isTaken(schema, value), JSON.stringify(value)).toBe(taken);
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(200);
  });

  it("leaves what the schema does not name, also names that every object has", () => {
    const parse = parserOf(Type.Object({ toString: Type.Optional(Type.Boolean()), a: Type.Optional(Type.String()) }));
    expect(parse({ b: 1 })).toEqual({ b: 1 });
    expect(() => parse({ toString: 1 })).toThrow("must be true or false");
  });

  it("returns what it was given, not a copy", () => {
    const value = { a: "x" };
    expect(parserOf(Type.Object({ a: Type.String() }))(value)).toBe(value);
  });
});
