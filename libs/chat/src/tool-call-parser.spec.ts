import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { HELD_LENGTH_MAX, NESTING_DEPTH_MAX, NUMBER_LENGTH_MAX } from "./limits.ts";
import { referenceLines, withoutReferenceData } from "./testing/reference-data.ts";
import {
  clientView,
  parseInPieces,
  readToolCallCorpus,
  type ToolCallCase,
  withoutMarks,
  writtenText,
} from "./testing/tool-call-corpus.ts";
import { ToolCallParser } from "./tool-call-parser.ts";

const corpus = readToolCallCorpus();
const TOOLS = ["f", "g"];
const expected = ({ calls, content }: ToolCallCase) => ({ calls, content });
const everyOffset = (text: string) => Array.from({ length: text.length }, (_, i) => i + 1);
const allAtOnce = (text: string) => parseInPieces(TOOLS, text, []);

describe("the corpus", () => {
  test("has at least 200 cases, each with a name of its own, in all styles", () => {
    expect(corpus.length).toBeGreaterThanOrEqual(200);
    expect(new Set(corpus.map(({ name }) => name)).size).toBe(corpus.length);
    for (const style of ["json", "pythonic", "tag", "marked"])
      expect(corpus.filter(({ name, calls }) => name.startsWith(style) && calls.length > 0).length).toBeGreaterThan(20);
    expect(corpus.filter(({ calls }) => calls.length === 0).length).toBeGreaterThan(50);
  });

  it.each(corpus.map((entry) => [entry.name, entry] as const))("%s", (_, entry) => {
    const { tools, text } = entry;
    const whole = parseInPieces(tools, text, []);
    expect(clientView(whole)).toEqual(expected(entry));
    expect(writtenText(whole)).toBe(withoutMarks(text));
    expect(clientView(parseInPieces(tools, text, everyOffset(text)))).toEqual(expected(entry));
    for (const cut of everyOffset(text)) {
      const events = parseInPieces(tools, text, [cut]);
      expect(clientView(events), `cut at ${cut}`).toEqual(expected(entry));
      expect(writtenText(events)).toBe(withoutMarks(text));
    }
  });

  test("however a text is cut in pieces, the client gets the same", () => {
    fc.assert(
      fc.property(fc.constantFrom(...corpus), fc.array(fc.nat(400), { maxLength: 20 }), (entry, ends) => {
        const events = parseInPieces(
          entry.tools,
          entry.text,
          ends.toSorted((a, b) => a - b),
        );
        expect(clientView(events)).toEqual(expected(entry));
        expect(writtenText(events)).toBe(withoutMarks(entry.text));
      }),
      { numRuns: 1000 },
    );
  });
});

describe.skipIf(withoutReferenceData)("answers of the shipped model (needs ../shared)", () => {
  type Task = Readonly<{
    request: Readonly<{ tools?: readonly Readonly<{ function: Readonly<{ name: string }> }>[] }>;
    expected: Readonly<{ text?: string; tool_calls?: ToolCallCase["calls"] }>;
    reference: Readonly<{ text: string; right: boolean }>;
  }>;

  test("of every task that it solved, calls are the expected ones and text is unchanged", () => {
    const tasks = referenceLines("nano/tasks.jsonl") as unknown as readonly Task[];
    const solved = tasks.filter(({ reference }) => reference.right);
    expect(solved.filter(({ expected }) => expected.tool_calls !== undefined).length).toBeGreaterThan(20);
    for (const { request, expected, reference } of solved) {
      const tools = request.tools?.map((tool) => tool.function.name) ?? TOOLS;
      const calls = expected.tool_calls ?? [];
      const content = expected.tool_calls === undefined ? reference.text : null;
      expect(clientView(parseInPieces(tools, reference.text, everyOffset(reference.text)))).toEqual({ calls, content });
    }
  });
});

describe("whatever a model writes", () => {
  /** No character is lost or comes twice, pieces make no difference, and what is given as a call is one. */
  function holds(text: string, ends: readonly number[]): void {
    const tools = [...TOOLS, "get_weather", "noop"];
    const events = parseInPieces(tools, text, ends);
    expect(writtenText(events)).toBe(withoutMarks(text));
    expect(clientView(events)).toEqual(clientView(parseInPieces(tools, text, [])));
    for (const { name, arguments: given } of clientView(events).calls) {
      expect(tools).toContain(name);
      expect(given).toBeTypeOf("object");
    }
    const indices = events.flatMap((event) => (event.kind === "call" ? [event.index] : []));
    expect(indices).toEqual(indices.map((_, i) => i));
  }

  const ends = fc.array(fc.nat(200), { maxLength: 10 }).map((offsets) => offsets.toSorted((a, b) => a - b));
  /** Pieces of the formats in any order reach far more of the grammars than random text. */
  const pieces = fc
    .array(
      fc.constantFrom(
        ..."[]{}()<>,:;='\"\\ \n-.0123eExfgrTNu".split(""),
        ...'f( g( x= =1 ="a" \'b\' """ \'\'\' {"name":"f" ,"parameters":{ "arguments":{} <function=f> </function> True None [f( )] 0x1 \\u00 \\x4 🦙 é'.split(
          " ",
        ),
        "<|python_start|>",
        "<|python_end|>",
        "<|eom|>",
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join(""));

  test("random text of any bytes is not lost", () => {
    const bytes = fc
      .uint8Array({ maxLength: 200 })
      .map((value) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(value));
    fc.assert(fc.property(fc.oneof(bytes, fc.string({ unit: "binary", maxLength: 200 })), ends, holds), {
      numRuns: 2000,
    });
  });

  test("the formats' own pieces in any order are not lost", () => {
    fc.assert(fc.property(pieces, ends, holds), { numRuns: 5000 });
  });

  test("an empty list behind white space keeps its place", () => {
    holds("\n[]\n", []);
    holds(' [] {"name": "f", "parameters": {}} []', [2, 3]);
  });

  test("a mutated call is not lost", () => {
    const mutated = fc
      .tuple(fc.constantFrom(...corpus), fc.nat(), fc.nat(12), pieces)
      .map(([{ text }, at, removed, inserted]) => {
        const offset = at % (text.length + 1);
        return text.slice(0, offset) + inserted.slice(0, 8) + text.slice(offset + removed);
      });
    fc.assert(fc.property(mutated, ends, holds), { numRuns: 5000 });
  });

  it.each(
    '[ { ( < " \' \\ [[ [{ [f( [f(a=[ [f(a=" [f(a=\' [f(a=""" [f(a=1, f()], {"a": {"name":"f", {"name":"f","parameters":{ {"name":"f","parameters":{}} <function=f> <function=f>{ <function=f>{}</function> [f(a=9'.split(
      " ",
    ),
  )("100 KB of %j come back, each character looked at a bounded number of times", (unit) => {
    const text = unit.repeat(Math.ceil(100_000 / unit.length));
    expect(writtenText(allAtOnce(text))).toBe(text);
  });
});

describe("what is held back", () => {
  /** What has been given after these pieces. */
  const given = (...texts: string[]) => {
    const parser = new ToolCallParser(TOOLS);
    return writtenText(texts.flatMap((text) => parser.push(text)));
  };

  it.each([
    ["plain text", "plain text"],
    ["[1", "[1"],
    ["[f x", "[f x"],
    ['[f(a="b", c', ""],
    ['[f("', '[f("'],
    ["[f(a=hello", "[f(a=hello"],
    ["[f(a=1 + ", "[f(a=1 + "],
    ['{"name": "Amir", "ag', '{"name": "Amir", "ag'],
    ['{"city', '{"city'],
    ['{"na', ""],
    ['{"name": 5', '{"name": 5'],
    ["<b", "<b"],
    ["<func", ""],
    ['["a', '["a'],
    ["Hello [", "Hello "],
    ["Hello ", "Hello "],
    ["  \n", ""],
  ])("after %j, %j has been given: text is held only while it may become a call", (text, out) => {
    expect(given(text)).toBe(out);
    expect(given(...text)).toBe(out);
  });

  test("a call is given with its last character, and a list's calls together", () => {
    const parser = new ToolCallParser(TOOLS);
    expect(parser.push('{"name": "f", "parameters": {"a": 1}')).toEqual([]);
    expect(parser.push("}")).toMatchObject([{ kind: "call", index: 0, name: "f", arguments: '{"a": 1}' }]);
    expect(parser.push(" [f(), g()")).toEqual([]);
    expect(parser.push("]")).toMatchObject([{ index: 1 }, { index: 2, name: "g" }]);
  });

  test("a call longer than the limit is text, and no call begins inside it", () => {
    const text = `[f(a="${"x".repeat(HELD_LENGTH_MAX)} [g()] ")] [g(`;
    const parser = new ToolCallParser(TOOLS);
    const events = [...text].flatMap((char) => parser.push(char));
    expect(events.every(({ kind }) => kind === "text")).toBe(true);
    expect(writtenText([...events, ...parser.end(false)])).toBe(text);
    expect(clientView(allAtOnce(`{"name": "f", "parameters": {"a": "${"x".repeat(HELD_LENGTH_MAX)}"}}`)).calls).toEqual(
      [],
    );
    expect(clientView(allAtOnce(`[f(a="${"x".repeat(HELD_LENGTH_MAX - 20)}")]`)).calls).toHaveLength(1);
  });

  test("white space longer than the limit is given", () => {
    expect(given(" ".repeat(HELD_LENGTH_MAX))).toHaveLength(HELD_LENGTH_MAX);
  });

  test("arguments deeper, and numbers longer, than the limits are text", () => {
    const nested = (depth: number) => `[f(a=${"[".repeat(depth)}${"]".repeat(depth)})]`;
    expect(clientView(allAtOnce(nested(NESTING_DEPTH_MAX))).calls).toHaveLength(1);
    expect(clientView(allAtOnce(nested(NESTING_DEPTH_MAX + 1)))).toEqual({
      calls: [],
      content: nested(NESTING_DEPTH_MAX + 1),
    });
    const number = (length: number) => `[f(a=${"1".repeat(length)})]`;
    expect(clientView(allAtOnce(number(NUMBER_LENGTH_MAX))).calls).toHaveLength(1);
    expect(clientView(allAtOnce(number(NUMBER_LENGTH_MAX + 1))).calls).toEqual([]);
  });

  test("numbers keep all their digits", () => {
    const digits = "123456789012345678901234567890";
    expect(allAtOnce(`[f(a=${digits}, b=0.${digits})]`)).toMatchObject([
      { arguments: `{"a": ${digits}, "b": 0.${digits}}` },
    ]);
    expect(allAtOnce(`{"name": "f", "parameters": {"a": ${digits}}}`)).toMatchObject([
      { arguments: `{"a": ${digits}}` },
    ]);
  });
});
