import { expect, test } from "vitest";
import { parseExactJson, parseRequestJson } from "./exact-json.ts";

test("a float without a fraction is boxed, a large integer is a bigint, and all else is what JSON.parse makes", () => {
  expect(parseExactJson('[1.0, 1e3, 2.5, 7, -0.0, 12345678901234567890, "1.0", {"a": null}]')).toEqual([
    Object(1),
    Object(1000),
    2.5,
    7,
    Object(-0),
    12345678901234567890n,
    "1.0",
    { a: null },
  ]);
  expect(() => parseExactJson("[1.0")).toThrow(SyntaxError);
});

test("such values can be sent to another thread", () => {
  const value = parseExactJson('{"a": 1.0, "b": 12345678901234567890}');
  expect(structuredClone(value)).toEqual(value);
});

test("of a request, only what a template may write is exact", () => {
  const request = '{"temperature": 1.0, "seed": 12345678901234567890, "tools": [{"minimum": 1.0}]}';
  expect(parseRequestJson(request)).toEqual({
    temperature: 1,
    seed: 12345678901234567000,
    tools: [{ minimum: Object(1) }],
  });
  const calls = (given: string) => `{"n": 1.0, "messages": [{"tool_calls": [{"function": {"arguments": ${given}}}]}]}`;
  const withCalls = (given: unknown) => ({ n: 1, messages: [{ tool_calls: [{ function: { arguments: given } }] }] });
  expect(parseRequestJson(calls('{"a": 1.0}'))).toEqual(withCalls({ a: Object(1) }));
  expect(parseRequestJson(calls('"{\\"arguments\\": {\\"a\\": 1.0}}"'))).toEqual(
    withCalls('{"arguments": {"a": 1.0}}'),
  );
  expect(parseRequestJson('{"temperature": 1.0}')).toEqual({ temperature: 1 });
  expect(parseRequestJson("5")).toBe(5);
  expect(parseRequestJson('{"tools": null, "__proto__": {"n": 1}}')).toEqual(
    JSON.parse('{"tools": null, "__proto__": {"n": 1}}'),
  );
});
