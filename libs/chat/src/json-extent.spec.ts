import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseRequestJson } from "./exact-json.ts";
import { jsonExtent } from "./json-extent.ts";
import { EXACT_VALUES_MAX, REQUEST_DEPTH_MAX, REQUEST_VALUES_MAX } from "./limits.ts";

/** What `jsonExtent` counts, counted in the parsed value. */
function counted(value: unknown): number {
  if (typeof value === "number") return 0;
  if (typeof value !== "object" || value === null) return 1;
  if (Array.isArray(value)) return 1 + value.reduce<number>((sum, entry) => sum + counted(entry), 0);
  return 1 + Object.values(value).reduce<number>((sum, entry) => sum + 1 + counted(entry), 0);
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

const spaces = fc.constantFrom(undefined, 1, "\t", "\n  ");

describe("a JSON text's extent", () => {
  test("is what its parsed value has, however it is written", () => {
    fc.assert(
      fc.property(fc.jsonValue(), spaces, (value, space) => {
        const { depth, valueCount } = jsonExtent(JSON.stringify(value, null, space));
        expect({ depth, valueCount }).toEqual({ depth: depthOf(value), valueCount: counted(value) });
      }),
    );
  });

  test("has each member of the outermost object where its value stands, the last of a name", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), spaces, (value, space) => {
        const text = JSON.stringify(value, null, space);
        const { members } = jsonExtent(text);
        const found = [...members].map(([name, { start, end }]) => [name, JSON.parse(text.slice(start, end))]);
        expect(found).toEqual(Object.entries(JSON.parse(text)).map(([name, entry]) => [name, entry]));
      }),
    );
    const twice = '{"a": 1, "\\u0061": [2]}';
    expect(JSON.parse(twice.slice(jsonExtent(twice).members.get("a")?.start, -1))).toEqual([2]);
    expect(jsonExtent('["a", 1]').members.size).toBe(0);
  });

  test("is something for what is no JSON", () => {
    fc.assert(fc.property(fc.string(), (text) => void jsonExtent(text)));
    for (const text of ["", '"', '{"', "{,:", ']]"', '{"a', '{"\\x": 1}']) expect(() => jsonExtent(text)).not.toThrow();
  });
});

describe("a request's JSON", () => {
  const refusal = (text: string) => {
    try {
      return parseRequestJson(text);
    } catch (error) {
      return String(error);
    }
  };

  test("is parsed up to its limits, and beyond them refused before it is parsed", () => {
    const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    expect(refusal(deep(REQUEST_DEPTH_MAX))).toEqual(expect.any(Array));
    expect(refusal(deep(REQUEST_DEPTH_MAX + 1))).toContain("nested more than");
    const wide = (count: number) => `[${"[],".repeat(count - 2)}[]]`;
    expect(refusal(wide(REQUEST_VALUES_MAX))).toHaveLength(REQUEST_VALUES_MAX - 1);
    expect(refusal(wide(REQUEST_VALUES_MAX + 1))).toContain("the body has more than");
    expect(refusal(`[${"1,".repeat(2 * REQUEST_VALUES_MAX)}1]`)).toHaveLength(2 * REQUEST_VALUES_MAX + 1);
  });

  test("of which a template may write something has a limit there for numbers too, and elsewhere none", () => {
    const numbers = `[${"1.0,".repeat(EXACT_VALUES_MAX)}1.0]`;
    expect(refusal(`{"tools": ${numbers}}`)).toContain("may have at most");
    expect(refusal(`{"tools": [2.0], "x": ${numbers}}`)).toMatchObject({ tools: [Object(2)] });
  });
});
