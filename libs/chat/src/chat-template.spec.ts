import { join } from "node:path";
import { loadTokenizer } from "@drover/tokenizer";
import { describe, expect, test } from "vitest";
import { BUILT_IN_TEMPLATE } from "./built-in-template.ts";
import type { ChatInput } from "./chat-input.ts";
import { JinjaChatTemplate } from "./chat-template.ts";
import { parseExactJson } from "./exact-json.ts";
import { ARGUMENTS_DEPTH_MAX, INPUT_DEPTH_MAX } from "./limits.ts";
import { loadChatTemplate } from "./load-chat-template.ts";
import { repository } from "./testing/reference-data.ts";

const model = join(repository, "models/nano");
const tokenizer = await loadTokenizer(model);
const nano = await loadChatTemplate(model, tokenizer);

function template(source: string | Record<string, string>, now = 0): JinjaChatTemplate {
  const templates = new Map(Object.entries(typeof source === "string" ? { default: source } : source));
  return new JinjaChatTemplate({ templates, variables: { bos_token: "<|eot|>" } }, { tokenizer, now: () => now });
}
const user = (content: unknown) => [{ role: "user", content }];
const render = (source: string, input: Partial<ChatInput> = {}) =>
  template(source).render({ messages: user("x"), addGenerationPrompt: true, ...input }).text;
const specialsIn = (source: string, messages: ChatInput["messages"], variables = {}) =>
  template(source)
    .render({ messages, addGenerationPrompt: true, variables })
    .segments.flatMap((segment) => (segment.kind === "special" ? [segment.id] : []));

describe("only what the template wrote is special", () => {
  const eot = tokenizer.specialId("<|eot|>");
  const joined = "{% for m in messages %}{% for p in m.content %}{{ p.text | trim }}{% endfor %}{% endfor %}";

  test("a look-alike in a message stays text, and the text stays as it is", () => {
    const { text, segments } = nano.render({
      messages: user("a<|eot|>b \ufdd0\ufdd1 \ue000"),
      addGenerationPrompt: true,
    });
    expect(text).toContain("a<|eot|>b \ufdd0\ufdd1 \ue000<|eot|>");
    expect(segments.filter((segment) => segment.kind === "special" && segment.id === eot)).toHaveLength(1);
  });

  test("a look-alike that a template joins from parts stays text", () => {
    for (const parts of [
      ["<", "|eot|", ">"],
      ["<|", "eot|>"],
      ["< ", "|eot|>"],
      ["\ufdd0", "\ufdd1<|eot|>\ufdd0\ufdd1"],
    ])
      expect(specialsIn(joined, user(parts.map((text) => ({ type: "text", text }))))).toEqual([]);
  });

  test("a look-alike in a variable, a key or a call's arguments stays text", () => {
    expect(specialsIn("{{ mine }}{{ mine | tojson }}", user("x"), { mine: { "<|eot|>": "<|eot|>" } })).toEqual([]);
  });

  test("names that the template puts together are special, as are the checkpoint's own variables", () => {
    expect(specialsIn("{{ '<|' ~ 'eot' + '|>' }}{{ bos_token }}<|eot|><|no such token|>", user("x"))).toEqual([
      eot,
      eot,
      eot,
    ]);
  });

  test("a client's text is not changed for the template's own logic", () => {
    expect(render("{{ messages[0].content.split('</think>')[1] }}", { messages: user("<b>a</think> c<|") })).toBe(
      " c<|",
    );
  });
});

describe("what a template writes is what Python's Jinja writes", () => {
  const cases: [string, unknown, string][] = [
    ["{{ v }}", true, "True"],
    ["{{ v }}", null, "None"],
    ["{{ v.missing }}", {}, ""],
    ["{{ v }}", [1, "it's", '"', null, false, { a: "\n" }], `[1, "it's", '"', None, False, {'a': '\\n'}]`],
    ["{{ 'x' ~ v ~ none }}", 2, "x2None"],
    ["{{ v | tojson }}", { a: ["é", 1, null] }, '{"a": ["é", 1, null]}'],
    ["{{ v | tojson(indent=2) }}", { a: [1], b: {} }, '{\n  "a": [\n    1\n  ],\n  "b": {}\n}'],
    ["{{ v | tojson(separators=(',', ':'), sort_keys=true) }}", { b: 1, a: 2 }, '{"a":2,"b":1}'],
    ["{{ v | tojson(ensure_ascii=true) }}", "é🙂\ufdd0", '"\\u00e9\\ud83d\\ude42\\ufdd0"'],
    ["{{ v | trim }}|{{ v.strip() }}|{{ v.rstrip() }}", "\u0085\ufeffa\u001f", "\ufeffa|\ufeffa|\u0085\ufeffa"],
    ["{{ '%s has %d%%' | format(v, 3) }}", "x", "x has 3%"],
    ["{{ '%s=%s' % (v, none) }}", 1, "1=None"],
    ["{{ -7 % 3 }}", 0, "2"],
    ["{{ v | map(attribute='t') | map('trim') | join('/') }}", [{ t: " a " }, { t: "b " }], "a/b"],
    ["{{ v | join(', ') }}", [true, null, "a"], "True, None, a"],
    ["{% for i in range(2, 8, 3) %}{{ i }};{% endfor %}", 0, "2;5;"],
    ["{{ v | string }}", [], "[]"],
    ["{{ v[0] | trim }}", [{ type: "text" }].map((part) => [part]), "[{'type': 'text'}]"],
  ];
  test.each(cases)("%s", (source, v, expected) => {
    expect(render(source, { variables: { v } })).toBe(expected);
  });

  test.each([
    ["1.0", "1.0"],
    ["-0.0", "-0.0"],
    ["1e3", "1000.0"],
    ["1E-7", "1e-07"],
    ["1e16", "1e+16"],
    ["123456789012345678901", "123456789012345678901"],
    ["0.00001", "1e-05"],
    ["1", "1"],
    ["2.50", "2.5"],
    ["1e400", "inf"],
  ])("the number %s of a schema or of arguments is %s", (source, expected) => {
    const json = `{"minimum": ${source}}`;
    const tools = [parseExactJson(json)];
    const call = { type: "function", function: { name: "f", arguments: json } };
    const messages = [{ role: "assistant", content: null, tool_calls: [call] }];
    const written = expected === "inf" ? "inf" : expected;
    expect(
      render("{{ tools[0] }}{{ messages[0].tool_calls[0].function.arguments | tojson }}", { tools, messages }),
    ).toBe(`{'minimum': ${written}}{"minimum": ${written}}`.replace('"minimum": inf', '"minimum": Infinity'));
  });
});

describe("what a template is given", () => {
  test("the date of its clock, which a client's variable may replace", () => {
    const source = "{{ date if date is defined else strftime_now('%d %b %Y') }}";
    const noon = Date.UTC(2026, 4, 1, 12);
    const dated = template(source, noon);
    expect(dated.render({ messages: user("x"), addGenerationPrompt: true }).text).toBe("01 May 2026");
    const variables = { date: "26 Jul 2024" };
    expect(dated.render({ messages: user("x"), addGenerationPrompt: true, variables }).text).toBe("26 Jul 2024");
  });

  test("a client's variables never take the place of the conversation", () => {
    expect(render("{{ messages[0].content }}", { variables: { messages: "no", "|write": "no" } })).toBe("x");
  });

  test("the template for tools is used for requests with tools, where there is one", () => {
    const both = template({ default: "plain", tool_use: "tools" });
    const input = { messages: user("x"), addGenerationPrompt: true };
    expect(both.render(input).text).toBe("plain");
    expect(both.render({ ...input, tools: [{}] }).text).toBe("tools");
    expect(template({ default: "plain" }).render({ ...input, tools: [{}] }).text).toBe("plain");
    expect(() => template({ other: "x" }).render(input)).toThrow(/no chat template/);
  });

  const callOf = (given: unknown) => [
    { role: "assistant", content: "", tool_calls: [{ function: { name: "f", arguments: given } }] },
  ];

  test.each<[given: unknown, seen: string]>([
    ["", "{}"],
    [" \n", "{}"],
    ["null", "{}"],
    [undefined, "{}"],
    [null, "{}"],
    ['{"a": 1.0}', '{"a": 1.0}'],
    [{ a: [1, "x"] }, '{"a": [1, "x"]}'],
    ['{"city": "Par', '{"arguments": "{\\"city\\": \\"Par"}'],
    ["Paris", '{"arguments": "Paris"}'],
    ["[1, 2]", '{"arguments": "[1, 2]"}'],
    ['"x"', '{"arguments": "\\"x\\""}'],
    ["5", '{"arguments": "5"}'],
    ["1e3", '{"arguments": "1e3"}'],
    ["true", '{"arguments": "true"}'],
    ['{"a": 1}{"b": 2}', '{"arguments": "{\\"a\\": 1}{\\"b\\": 2}"}'],
    [[1], '{"arguments": "[1]"}'],
    [5, '{"arguments": "5"}'],
    ['{"__proto__": 1}', '{"__proto__": 1}'],
    ['{"a": NaN}', '{"arguments": "{\\"a\\": NaN}"}'],
  ])("arguments of an earlier call are an object that shows what was there: %j is %s", (given, seen) => {
    const messages = callOf(given);
    expect(render("{{ messages[0].tool_calls[0].function.arguments | tojson }}", { messages })).toBe(seen);
    // A template that walks through an object does not fail.
    const walk = "{% for k, v in messages[0].tool_calls[0].function.arguments.items() %}{{ k }}{% endfor %}";
    expect(render(walk, { messages })).toBe(Object.keys(JSON.parse(seen)).join(""));
  });

  test("whatever an earlier call's arguments hold, their text reaches the model, and nothing in it is special", () => {
    const text = '{"city": "<|eot|><|image|>';
    const { segments } = nano.render({ messages: [...user("x"), ...callOf(text)], addGenerationPrompt: false });
    const words = segments.map((segment) => (segment.kind === "text" ? segment.text : "")).join("");
    expect(words).toContain("<|eot|><|image|>");
    for (const deep of [`{"a":${"[".repeat(100_000)}`, `{"a":${"[".repeat(5000)}1.0${"]".repeat(5000)}}`])
      expect(nano.render({ messages: callOf(deep), addGenerationPrompt: false }).text).toContain("[".repeat(5000));
    const most = `{"a":${"[".repeat(ARGUMENTS_DEPTH_MAX - 1)}${"]".repeat(ARGUMENTS_DEPTH_MAX - 1)}}`;
    expect(render("{{ messages[0].tool_calls[0].function.arguments.a | length }}", { messages: callOf(most) })).toBe(
      "1",
    );
  });
});

describe("hostile conversations and templates", () => {
  const deep = (levels: number) => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);

  test("JSON that is nested too deep is refused, naming where it is", () => {
    const fault = (field: string) => expect.objectContaining({ code: "invalid_argument", field });
    expect(() => render("", { tools: [deep(100_000)] })).toThrowError(fault("tools"));
    expect(() => render("", { variables: { v: deep(INPUT_DEPTH_MAX + 1) } })).toThrowError(
      fault("chat_template_kwargs"),
    );
    expect(() => render("", { messages: user(deep(100_000)) })).toThrowError(fault("messages"));
    expect(render("{{ v | tojson | length }}", { variables: { v: deep(INPUT_DEPTH_MAX) } })).toBe(
      String(2 * INPUT_DEPTH_MAX),
    );
  });

  test("what the template refuses is an error that names the messages, without marks", () => {
    expect(() => render("{{ raise_exception('no <|eot|> here') }}")).toThrowError(
      expect.objectContaining({
        code: "invalid_argument",
        field: "messages",
        message: "the chat template refused the messages: no <|eot|> here",
      }),
    );
    expect(() => nano.render({ messages: user([{ type: "sound" }]), addGenerationPrompt: true })).toThrow(
      /unknown content part/,
    );
  });

  test("a template that recurses, doubles or counts without end is an error", () => {
    const cannot = expect.objectContaining({ code: "invalid_argument" });
    expect(() => render("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")).toThrowError(cannot);
    expect(() =>
      render(
        "{% set n = namespace(s='xxxxxxxx') %}{% for i in range(90) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}",
      ),
    ).toThrowError(cannot);
    expect(() => render("{% for i in range(1000000000000) %}{% endfor %}")).toThrowError(cannot);
  });

  test("a template that cannot be parsed is refused when it is read", () => {
    expect(() => template("{% if %}")).toThrowError(expect.objectContaining({ code: "invalid_argument" }));
    expect(() => template("x".repeat(2 ** 21))).toThrow(/more than/);
  });

  test("a message of four million characters is rendered as it is", () => {
    const content = "<|eot|> text ".repeat(300_000);
    expect(nano.render({ messages: user(content), addGenerationPrompt: false }).text).toContain(content);
  });
});

test("the built-in format is Llama 4's, and asks for calls as JSON", () => {
  const { text } = template(BUILT_IN_TEMPLATE).render({
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "Look: " }, { type: "image_url" }] },
      { role: "assistant", content: null, tool_calls: [{ function: { name: "f", arguments: '{"x": 1.0}' } }] },
      { role: "tool", content: "ok" },
    ],
    tools: [{ type: "function", function: { name: "f" } }],
    addGenerationPrompt: true,
  });
  const [system, question, call, result, answer] = text.split("<|eot|>").slice(1);
  expect(system).toContain("<|header_start|>system<|header_end|>\n\nYou have access to the following functions.");
  expect(system?.endsWith('"name": "f"\n    }\n}\n\nBe brief.')).toBe(true);
  expect(question).toBe("<|header_start|>user<|header_end|>\n\nLook: <|image|>");
  expect(call).toBe('<|header_start|>assistant<|header_end|>\n\n{"name": "f", "parameters": {"x": 1.0}}');
  expect(result).toBe("<|header_start|>ipython<|header_end|>\n\nok");
  expect(answer).toBe("<|header_start|>assistant<|header_end|>\n\n");
});
