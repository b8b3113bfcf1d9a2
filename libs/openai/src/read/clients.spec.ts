import { describe, expect, it } from "vitest";
import { readAnthropic } from "../anthropic/read-message.ts";
import type { ChatPrompt } from "../request/generation-query.ts";
import { readResponse } from "../responses/read-response.ts";
import { refused, tinyFacts } from "../testing/tiny-facts.ts";
import { readChat } from "./chat.ts";
import { readCompletion } from "./completion.ts";
import { readTokenize } from "./tokens.ts";

const messages = [{ role: "user", content: "hi" }];
const chat = (body: object, facts = tinyFacts()) => readChat({ model: "tiny", messages, ...body }, facts);
const completion = (body: object) => readCompletion({ model: "tiny", prompt: "hi", ...body }, tinyFacts());
const response = (body: object) => readResponse({ model: "tiny", input: "hi", ...body }, tinyFacts(), undefined);
const message = (body: object) => readAnthropic({ model: "tiny", max_tokens: 5, messages, ...body }, tinyFacts());
const tokenize = (body: object) => readTokenize(body, tinyFacts());
/** What a template is given of a message. */
const seen = (message: object) => (chat({ messages: [message] }).prompt as ChatPrompt).input.messages[0];

describe("what clients of other servers send", () => {
  it("what only asks for speed, price, effort or keeping passes, whatever it says", () => {
    const hints = {
      reasoning_effort: "high",
      verbosity: "low",
      prediction: { type: "content", content: "x" },
      service_tier: "flex",
      store: true,
      priority: 5,
      metadata: { a: "b" },
      user: "u",
    };
    expect(chat(hints)).toEqual(chat({}));
    expect(completion(hints)).toEqual(completion({}));
  });

  it.each([
    ["grammar_string", "root", ""],
    ["format", "json", ""],
    ["structural_tag", {}, null],
    ["nvext", { guided_json: {} }, { guided_json: null }],
    ["no_repeat_ngram_size", 3, 0],
    ["min_new_tokens", 5, 0],
    ["max_new_tokens", 5, -1],
    ["n_predict", 5, -1],
    ["stop_sequences", ["a"], []],
    ["stop_regex", "a+", ""],
    ["bad", ["x"], []],
    ["guideline", "be kind", ""],
    ["lora_path", "a", null],
    ["return_hidden_states", true, false],
    ["repetition_detection", { max_pattern_size: 4 }, null],
    ["logprob_token_ids", [5], []],
    ["truncation_side", "right", "left"],
    ["media_io_kwargs", { image: { mode: "L" } }, {}],
    ["return_prompt_text", true, false],
    ["n_cmpl", 2, 1],
    ["n_indent", 4, 0],
    ["parse_tool_calls", false, true],
    ["return_tokens", true, false],
    ["input_ids", [1, 2], []],
    ["prompt_token_ids", [1, 2], null],
    ["return_meta_info", true, false],
    ["stopping_strings", ["a"], []],
    ["stop_str", "a", null],
    ["json_mode", true, false],
    ["response_mime_type", "application/json", "text/plain"],
    ["num_beams", 4, 1],
    ["num_return_sequences", 2, 1],
    ["eos_token_id", 5, null],
    ["parameters", { grammar: { type: "json", value: {} } }, {}],
    ["bad_words_list", ["x"], []],
    ["end_id", 5, null],
  ])("a constraint of another server is refused by name: %s is not %j, but may be %j", (name, asked, neutral) => {
    expect(refused(() => chat({ [name]: asked }))).toEqual(["invalid_argument", `${name}: is not supported`]);
    expect(refused(() => completion({ [name]: asked }))).toEqual(["invalid_argument", `${name}: is not supported`]);
    expect(chat({ [name]: neutral })).toEqual(chat({}));
  });

  it.each<[string, unknown, unknown, ((body: object) => unknown)[]]>([
    ["guided_json", { type: "object" }, null, [response, message]],
    ["response_format", { type: "json_object" }, { type: "text" }, [response, message]],
    ["structured_outputs", { regex: "a" }, { regex: null }, [response, message]],
    ["grammar", 'root ::= "a"', "", [response, message]],
    ["text", { format: { type: "json_object" } }, { format: { type: "text" } }, [chat, completion, message]],
    ["output_format", { type: "json_schema", schema: {} }, null, [chat, completion, response]],
    ["output_config", { format: { type: "json_schema", schema: {} } }, { effort: "low" }, [chat, completion, response]],
    ["stop", ["a"], [], [response, message]],
    ["n", 2, 1, [response, message]],
    ["max_tokens", 7, null, [response]],
    ["max_output_tokens", 7, -1, [chat, completion, message]],
    ["max_completion_tokens", 7, null, [completion, response, message]],
    ["logprobs", true, false, [response, message]],
    ["prompt_logprobs", 1, null, [response, message]],
    ["echo", true, false, [chat, response, message]],
    ["tools", [{ type: "function", function: { name: "f" } }], [], [completion]],
    ["system", "be kind", "", [chat, completion, response]],
    ["instructions", "be kind", "", [chat, completion, message]],
    ["previous_response_id", "resp_1", null, [chat, completion, message]],
    ["truncate_prompt_tokens", 3, null, [response, message]],
    ["add_special_tokens", true, false, [chat, response, message]],
    ["parse_special", true, false, [chat, response, message]],
  ])("what another endpoint serves is refused by name: %s is not %j, but may be %j", (name, asked, neutral, reads) => {
    for (const read of reads) {
      expect(refused(() => read({ [name]: asked }))).toEqual(["invalid_argument", `${name}: is not supported`]);
      expect(read({ [name]: neutral })).toEqual(read({}));
    }
  });

  it("a schema beside json_object is enforced, and one in the place of what holds it is not dropped", () => {
    const schema = { type: "object", properties: { a: { type: "integer" } }, required: ["a"] };
    const grammarOf = (response_format: object) => {
      const [one, other] = [chat({ response_format }), completion({ response_format })];
      expect(one.constraint).toEqual(other.constraint);
      return one.constraint?.grammar;
    };
    const enforced = grammarOf({ type: "json_schema", json_schema: { name: "x", schema } });
    expect(enforced).not.toBe(grammarOf({ type: "json_object" }));
    for (const spelt of [{ schema }, { value: schema }, { schema: JSON.stringify(schema) }, { schema, value: null }])
      expect(grammarOf({ type: "json_object", ...spelt })).toBe(enforced);
    expect(grammarOf({ type: "json_object", schema: null })).toBe(grammarOf({ type: "json_object" }));
    const refusal = (response_format: object) => refused(() => chat({ response_format }))[1];
    const spell = { properties: { a: { format: "spell", type: "string" } } };
    expect(refusal({ type: "json_object", schema: spell })).toMatch(/^response_format\.schema\.properties\.a/);
    expect(refusal({ type: "json_object", schema, value: schema })).toMatch(
      /^response_format\.value: cannot be combined/,
    );
    const bare = { type: "json_schema", json_schema: schema };
    expect(refusal(bare)).toBe("response_format.json_schema.schema: is required");
    expect(grammarOf({ type: "json_schema", json_schema: { name: "x", strict: true } })).toBe(
      grammarOf({ type: "json_schema", json_schema: { schema: {} } }),
    );
  });

  it("a limit by another server's name passes where ours says the same", () => {
    expect(chat({ max_new_tokens: 9, max_tokens: 9, min_new_tokens: 2, min_tokens: 2 })).toEqual(
      chat({ max_tokens: 9, min_tokens: 2 }),
    );
    expect(chat({ n_predict: 9, max_completion_tokens: 9 }).budget.asked).toBe(9);
    expect(chat({ stop_sequences: ["a"], stop: ["a"] }).stop).toEqual(["a"]);
    expect(refused(() => chat({ max_new_tokens: 8, max_tokens: 9 }))[1]).toBe("max_new_tokens: is not supported");
  });

  it("no share at all is the likeliest token, and asking for no likeliest tokens asks for nothing", () => {
    expect(chat({ top_p: 0, temperature: 1.5 }).sampling).toEqual(chat({ temperature: 0 }).sampling);
    expect(chat({}, tinyFacts({ doSample: true, temperature: 0.6, topP: 0 })).sampling).toMatchObject({
      temperature: 0,
      topP: 1,
    });
    const narrow = response({ top_p: 0, temperature: 1.5 });
    expect(narrow.sampling).toEqual(response({ temperature: 0 }).sampling);
    expect(narrow.reply.repeated).toMatchObject({ top_p: 0, temperature: 1.5 });
    for (const logprobs of [false, null, undefined])
      expect(chat({ top_logprobs: 0, logprobs }).sampling.topLogprobs).toBe(-1);
    expect(chat({ top_logprobs: 0, logprobs: true }).sampling.topLogprobs).toBe(0);
  });

  it("names of special tokens in a raw prompt are text unless it is asked for", () => {
    const prompt = "<|begin_of_text|><|header_start|>user<|header_end|>";
    expect(completion({ prompt }).prompt).toMatchObject({ isMarked: false, looksMarked: true, first: 256 });
    expect(completion({ prompt, parse_special: true }).prompt).toMatchObject({ isMarked: true });
    expect(tokenize({ prompt, parse_special: true }).prompt).toMatchObject({ isMarked: true });
    expect(completion({ prompt: "a < b" }).prompt).toMatchObject({ isMarked: false, looksMarked: false });
  });

  it("a seed has 64 bits, as OpenAI's", () => {
    for (const seed of [2 ** 64, -(2 ** 63), 0, -1]) {
      const drawn = chat({ seed }).sampling.seed;
      expect(Number.isSafeInteger(drawn) && Number(drawn) >= 0, String(seed)).toBe(true);
    }
  });
});

describe("what agents keep of a conversation", () => {
  it("only the allowed tools are told of and called, in either spelling", () => {
    const tools = ["f", "g", "h"].map((name) => ({ type: "function", function: { name } }));
    const flat = { type: "allowed_tools", mode: "auto", tools: [{ type: "function", name: "h" }, { name: "f" }] };
    const nested = {
      mode: "auto",
      tools: [{ type: "function", function: { name: "f" } }, { function: { name: "h" } }],
    };
    for (const tool_choice of [flat, { type: "allowed_tools", allowed_tools: nested }]) {
      expect(chat({ tools, tool_choice })).toMatchObject({
        prompt: { input: { tools: [tools[0], tools[2]] } },
        toolCalls: { names: ["f", "h"] },
      });
      expect(tokenize({ model: "tiny", messages, tools, tool_choice }).prompt).toMatchObject({
        input: { tools: [tools[0], tools[2]] },
      });
    }
    expect(chat({ tools, tool_choice: { ...flat, tools: [] } }).toolCalls).toBeUndefined();
    expect(tokenize({ model: "tiny", messages, tools, tool_choice: { type: "function" } }).prompt).toMatchObject({
      input: { tools },
    });
  });

  it("what an assistant refused is its text, as a part and as a field", () => {
    const part = { type: "refusal", refusal: "No." };
    expect(seen({ role: "assistant", content: [part] })).toEqual({
      role: "assistant",
      content: [{ type: "text", text: "No." }],
    });
    expect(seen({ role: "assistant", content: null, refusal: "No." })).toEqual({ role: "assistant", content: "No." });
    expect(seen({ role: "assistant", content: "Yes.", refusal: null })).toEqual({ role: "assistant", content: "Yes." });
    const parts = [
      { type: "input_text", text: "a" },
      { type: "output_text", text: "b", annotations: [] },
    ];
    expect(seen({ role: "user", content: parts })).toMatchObject({
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
    });
  });

  it("calls and results of the interface before tools are calls and results", () => {
    const called = { name: "f", arguments: '{"a": 1}' };
    expect(seen({ role: "assistant", content: null, function_call: called })).toEqual({
      role: "assistant",
      content: null,
      tool_calls: [{ id: "", type: "function", function: called }],
    });
    expect(seen({ role: "function", name: "f", content: "5" })).toEqual({ role: "tool", name: "f", content: "5" });
    expect(seen({ role: "function", name: "f", content: null })).toMatchObject({ role: "tool", content: "" });
    expect(seen({ role: "assistant", content: "x", function_call: null })).toEqual({ role: "assistant", content: "x" });
  });

  it.each([undefined, null, "", "{", "[1]", 5, {}, { a: 1 }, [1]])("arguments of a call may be %j", (given) => {
    expect(seen({ role: "assistant", tool_calls: [{ function: { name: "f", arguments: given } }] })).toMatchObject({
      tool_calls: [{ function: { name: "f", arguments: given ?? "" } }],
    });
  });

  it.each([[undefined], [null], ['{"city": "Par'], [[1]], [5], [{ city: "Paris" }]])(
    "a call's arguments are taken whatever they are, in every interface: %j",
    (given) => {
      const shown = (read: Readonly<{ prompt: unknown }>) =>
        (read.prompt as ChatPrompt).input.messages.flatMap(({ tool_calls: calls }) => calls as { function: object }[]);
      const called = shown(
        chat({ messages: [{ role: "assistant", tool_calls: [{ function: { name: "f", arguments: given } }] }] }),
      );
      expect(called).toMatchObject([{ function: { name: "f", arguments: given ?? "" } }]);
      const item = { type: "function_call", call_id: "1", name: "f", arguments: given };
      expect(shown(response({ input: [item] }))).toMatchObject(called.map(({ function: one }) => ({ function: one })));
      const block = { type: "tool_use", id: "1", name: "f", input: given };
      expect(shown(message({ messages: [{ role: "assistant", content: [block] }] }))).toMatchObject(
        called.map(({ function: one }) => ({ function: one })),
      );
    },
  );

  it("who has said nothing is read as that, and a user has to say something", () => {
    for (const role of ["assistant", "tool", "function"])
      for (const content of [null, undefined]) expect(seen({ role, content })).toMatchObject({ content: "" });
    expect(refused(() => seen({ role: "user", content: null }))[1]).toBe("messages[0].content: is required");
    const items = [{ type: "function_call_output", call_id: "1" }];
    expect((response({ input: items }).prompt as ChatPrompt).input.messages).toMatchObject([
      { role: "tool", content: "" },
    ]);
  });

  it("calls whose input is text are read as those of functions, in a chat's history and a response's", () => {
    const custom = { name: "f", input: "ls -l" };
    const called = { name: "f", arguments: "ls -l" };
    expect(seen({ role: "assistant", tool_calls: [{ id: "1", type: "custom", custom }] })).toMatchObject({
      tool_calls: [{ id: "1", type: "function", function: called }],
    });
    const items = [
      { type: "custom_tool_call", call_id: "1", ...custom },
      { type: "custom_tool_call_output", call_id: "1", output: "a b" },
    ];
    expect((response({ input: items }).prompt as ChatPrompt).input.messages).toEqual([
      { role: "assistant", content: null, tool_calls: [{ id: "1", type: "function", function: called }] },
      { role: "tool", tool_call_id: "1", content: "a b" },
    ]);
    expect(refused(() => seen({ role: "assistant", tool_calls: [{ type: "custom" }] }))[1]).toBe(
      "messages[0].tool_calls[0].function: must have a name and arguments, both strings",
    );
  });

  it("thoughts in a history are left out, and images are read by any interface's name", () => {
    const thoughts = ["thinking", "redacted_thinking", "reasoning"].map((type) => ({ type, [type]: "hm" }));
    expect(seen({ role: "assistant", content: [...thoughts, { type: "text", text: "a" }] })).toMatchObject({
      content: [{ type: "text", text: "a" }],
    });
    const url = "data:image/png;base64,AAAA";
    for (const type of ["image_url", "input_image"])
      for (const image_url of [url, { url }]) {
        const content = [{ type, image_url }];
        for (const read of [
          chat({ messages: [{ role: "user", content }] }),
          response({ input: [{ role: "user", content }] }),
        ])
          expect((read.prompt as ChatPrompt).images).toMatchObject([{ url }]);
      }
  });
});
