import { describe, expect, it } from "vitest";
import { refused, tinyFacts } from "../testing/tiny-facts.ts";
import { readChat } from "./chat.ts";
import { readCompletion } from "./completion.ts";
import { readDetokenize, readTokenize } from "./tokens.ts";

const messages = [{ role: "user", content: "hi" }];
const chat = (body: object, facts = tinyFacts()) => readChat({ model: "tiny", messages, ...body }, facts);
const completion = (body: object) => readCompletion({ model: "tiny", prompt: "hi", ...body }, tinyFacts());
const tokenize = (body: object) => readTokenize(body, tinyFacts());
const turn = (message: unknown) => ({ messages: [message] });
const said = (content: unknown) => turn({ role: "user", content });
const called = (call: unknown) => turn({ role: "assistant", tool_calls: [call] });
const image = (image_url: unknown) => ({ type: "image_url", image_url });
const many = (count: number, entry: unknown) => Array.from({ length: count }, () => entry);

const FUNCTION_LACKS = "messages[0].tool_calls[0].function: must have a name and arguments, both strings";
const BAD_STOP = "stop: must be a string that is not empty, or a list of them";

/** What a chat has more than nothing, and what is said of it. */
const CHATS: readonly (readonly [body: object, message: string])[] = [
  [{ model: undefined }, "model: is required"],
  [{ model: 5 }, "model: must be a string"],
  [{ messages: undefined }, "messages: is required"],
  [{ messages: null }, "messages: is required"],
  [{ messages: "hi" }, "messages: must be a list"],
  [{ messages: [] }, "messages: must not be empty"],
  [{ messages: many(4097, messages[0]) }, "messages: may have at most 4096 entries"],
  [{ messages: ["hi"] }, "messages[0]: messages[0] must be a JSON object"],
  [turn({ content: "x" }), "messages[0].role: is required"],
  [turn({ role: 5, content: "x" }), "messages[0].role: must be a string"],
  [
    turn({ role: "robot", content: "x" }),
    "messages[0].role: is unknown; the roles are system, developer, user, assistant, tool",
  ],
  [turn({ role: "user" }), "messages[0].content: is required"],
  [said(5), "messages[0].content: must be a string or a list of parts"],
  [said("\ud800"), "messages[0].content: must be valid Unicode text"],
  [said([1]), "messages[0].content[0]: messages[0].content[0] must be a JSON object"],
  [said([{}]), "messages[0].content[0].type: is required"],
  [said([{ type: 1 }]), "messages[0].content[0].type: must be a string"],
  [said([{ type: "text" }]), "messages[0].content[0].text: is required"],
  [
    said([{ type: "input_audio" }]),
    "messages[0].content[0].input_audio: is not supported: a part must be text or image_url",
  ],
  [said([image(undefined)]), "messages[0].content[0].image_url: is required"],
  [said([image(5)]), "messages[0].content[0].image_url: must be a JSON object or a string"],
  [said([image({})]), "messages[0].content[0].image_url.url: is required"],
  [said([image({ url: "u", detail: "huge" })]), "messages[0].content[0].image_url.detail: must be auto, low or high"],
  [said(many(17, image({ url: "u" }))), "messages[0].content[16].image_url: a request may have at most 16 images"],
  [called(5), "messages[0].tool_calls[0]: messages[0].tool_calls[0] must be a JSON object"],
  [called({}), FUNCTION_LACKS],
  [called({ function: { arguments: "{}" } }), FUNCTION_LACKS],
  [turn({ role: "user", content: "x", function_call: {} }), "messages[0].function_call: is not supported"],
  [turn({ role: "user", content: "x", function_call: { name: "f" } }), "messages[0].function_call: is not supported"],
  [turn({ role: "assistant", function_call: { arguments: "" } }), "messages[0].function_call: is not supported"],
  [{ temperature: Number.NaN }, "temperature: must be a finite number"],
  [{ temperature: "1" }, "temperature: must be a finite number"],
  [{ temperature: -0.1 }, "temperature: must be at least 0"],
  [{ temperature: 2.1 }, "temperature: must be at most 2"],
  [{ top_p: -0.1 }, "top_p: must be at least 0"],
  [{ top_k: 1.5 }, "top_k: must be an integer"],
  [{ top_k: -2 }, "top_k: must be at least -1"],
  [{ min_p: 1.1 }, "min_p: must be at most 1"],
  [{ repetition_penalty: 0 }, "repetition_penalty: must be greater than 0"],
  [{ presence_penalty: 3 }, "presence_penalty: must be at most 2"],
  [{ frequency_penalty: -3 }, "frequency_penalty: must be at least -2"],
  [{ logit_bias: [1] }, "logit_bias: logit_bias must be a JSON object"],
  [{ logit_bias: { "258": 1 } }, "logit_bias: must name token ids from 0 to 257"],
  [{ logit_bias: { "1": 101 } }, "logit_bias.1: must be at most 100"],
  [
    { logit_bias: Object.fromEntries(many(1025, 0).map((_, i) => [i, 0])) },
    "logit_bias: may have at most 1024 entries",
  ],
  [{ seed: 1e300 }, "seed: must be an integer"],
  [{ seed: 0.5 }, "seed: must be an integer"],
  [{ stop: 5 }, "stop: must be a list"],
  [{ stop: "" }, BAD_STOP],
  [{ stop: [1] }, BAD_STOP],
  [{ stop: ["\ud800"] }, "stop: must be valid Unicode text"],
  [{ stop: many(17, "a") }, "stop: may have at most 16 entries"],
  [{ stop: "a".repeat(1025) }, "stop: may have at most 1024 characters each"],
  [{ n: 0 }, "n: must be at least 1"],
  [{ n: 129 }, "n: must be at most 128"],
  [{ best_of: 2 }, "best_of: is not supported above n"],
  [{ stop_token_ids: [258] }, "stop_token_ids: must hold token ids from 0 to 257"],
  [{ stop_token_ids: ["a"] }, "stop_token_ids: must hold token ids from 0 to 257"],
  [{ stop_token_ids: many(65, 1) }, "stop_token_ids: may have at most 64 entries"],
  [{ ignore_eos: 1 }, "ignore_eos: must be true or false"],
  [{ max_tokens: -1 }, "max_tokens: must be at least 0"],
  [{ max_completion_tokens: 1.5 }, "max_completion_tokens: must be an integer"],
  [{ min_tokens: 5, max_tokens: 4 }, "min_tokens: must be at most max_tokens"],
  [{ min_tokens: 5, max_completion_tokens: 4 }, "min_tokens: must be at most max_completion_tokens"],
  [{ logprobs: 5 }, "logprobs: must be true or false"],
  [{ top_logprobs: 2 }, "top_logprobs: needs logprobs to be true"],
  [{ logprobs: true, top_logprobs: 21 }, "top_logprobs: must be at most 20"],
  [{ stream_options: 5 }, "stream_options: stream_options must be a JSON object"],
  [{ stream_options: { include_usage: true } }, "stream_options: is only allowed with stream"],
  [{ stream: true, stream_options: { include_usage: 1 } }, "stream_options.include_usage: must be true or false"],
  [{ tools: [5] }, "tools[0]: tools[0] must be a JSON object"],
  [{ tools: [{ type: "custom" }] }, "tools[0].type: must be function"],
  [{ tools: [{}] }, "tools[0].function: must have a name"],
  [{ tools: [{ function: {} }] }, "tools[0].function: must have a name"],
  [
    { tools: [{ function: { name: "f", parameters: [] } }] },
    "tools[0].function.parameters: tools[0].function.parameters must be a JSON object",
  ],
  [{ tool_choice: "required" }, "tool_choice: needs tools"],
  [{ tool_choice: "any" }, "tool_choice: must be auto, none, required, a function, or some allowed tools"],
  [{ tool_choice: { type: "function", function: { name: "f" } } }, "tool_choice: must name a function of tools"],
  [{ tool_choice: { type: "allowed_tools", mode: "required", tools: [] } }, "tool_choice: needs tools"],
  [
    { tool_choice: { type: "allowed_tools", mode: "other", tools: [] } },
    "tool_choice: must be auto, none, required, a function, or some allowed tools",
  ],
  [{ tool_choice: { type: "allowed_tools", mode: "auto" } }, "tool_choice: must have a list of tools"],
  [
    { tool_choice: { type: "allowed_tools", mode: "auto", tools: [{ name: "f" }] } },
    "tool_choice: must name functions of tools, and its tool 0 is none",
  ],
  [{ chat_template_kwargs: 5 }, "chat_template_kwargs: chat_template_kwargs must be a JSON object"],
  [
    { response_format: { type: "xml" } },
    "response_format.xml: is not supported: a format must be text, json_object or json_schema",
  ],
  [{ guided_json: { minlength: 1 } }, "guided_json.minlength: is a keyword that cannot be enforced"],
  [{ guided_json: "{" }, "guided_json: must be a JSON Schema"],
  [{ guided_regex: "(" }, "guided_regex: is a pattern that has a group without an end"],
  [{ guided_choice: [] }, "guided_choice: must have something to choose from"],
  [{ guided_choice: ["a", "\u2028"] }, "guided_choice[1]: has a character that cannot be written"],
  [{ guided_grammar: "start: x" }, "guided_grammar: is no grammar in GBNF: line 1 needs a rule `name ::= ...`"],
  [{ grammar: 'root ::= "a" x' }, "grammar: has no rule x, which root uses"],
  [{ structured_outputs: { structural_tag: "{}" } }, "structured_outputs.structural_tag: is not supported"],
  [{ guided_regex: "a", guided_json: {} }, "guided_regex: cannot be combined with guided_json"],
  [
    { guided_regex: "a", ignore_eos: true },
    "ignore_eos: cannot be combined with guided_regex: the answer ends where it matches",
  ],
  [
    {
      tools: [{ function: { name: "f", parameters: { type: "object", properties: { a: { format: "color" } } } } }],
      tool_choice: "required",
    },
    "tools[0].function.parameters.properties.a.format: is a format that cannot be enforced",
  ],
];

describe("a chat completion's body", () => {
  it.each(CHATS)("%j is refused: %s", (body, message) => {
    expect(refused(() => chat(body))).toEqual(["invalid_argument", message]);
  });

  it("is an object", () => {
    for (const body of [null, [], "x", 5])
      expect(refused(() => readChat(body, tinyFacts()))).toEqual([
        "invalid_argument",
        "the body must be a JSON object",
      ]);
  });

  it("for a model that is not served is for none, whatever else it says", () => {
    const refusal = ["model_not_found", 'model: the model "other" does not exist'];
    expect(refused(() => chat({ model: "other", temperature: "warm" }))).toEqual(refusal);
  });

  it("null means absent, for every field", () => {
    const names = ["temperature", "top_p", "seed", "stop", "max_tokens", "n", "tools", "response_format", "logprobs"];
    expect(chat(Object.fromEntries(names.map((name) => [name, null])))).toEqual(chat({}));
  });

  it("what nobody knows is ignored, and neutral values of what is not supported pass", () => {
    const neutral = { whatever: 1, response_format: { type: "text" }, best_of: 1, store: false };
    expect(chat(neutral)).toEqual(chat({}));
  });

  it("the checkpoint's defaults hold where the client is silent", () => {
    expect(chat({})).toMatchObject({
      sampling: { temperature: 0, topP: 1, topK: 0, seed: undefined, stopTokenIds: [257], topLogprobs: -1 },
      budget: { asked: undefined, field: "max_tokens", unasked: 50 },
    });
    const sampled = tinyFacts({ doSample: true, temperature: 0.6, topP: 0.9, topK: 7 });
    expect(chat({}, sampled).sampling).toMatchObject({ temperature: 0.6, topP: 0.9, topK: 7 });
  });

  it("ignore_eos leaves only the request's own stop tokens", () => {
    expect(chat({ ignore_eos: true, stop_token_ids: [7, 7] }).sampling.stopTokenIds).toEqual([7]);
  });

  it("names its images where they stand, and is refused by a model of text alone", () => {
    const content = [{ type: "text", text: "x" }, image({ url: "u" })];
    const url = "messages[0].content[1].image_url.url";
    expect(chat(said(content)).prompt).toMatchObject({
      images: [{ url: "u", field: url }],
      input: { messages: [{ content: [{ type: "text", text: "x" }, { type: "image_url" }] }] },
    });
    expect(refused(() => chat(said(content), tinyFacts({}, false)))).toEqual([
      "invalid_argument",
      `${url}: the model reads no images`,
    ]);
  });

  it("tools reach the template as they were written, and nothing is a call where they are not to be used", () => {
    const tools = [{ type: "function", function: { name: "f", strict: true } }];
    expect(chat({ tools })).toMatchObject({
      prompt: { input: { tools } },
      toolCalls: { names: ["f"], parallel: true },
    });
    for (const without of [{ tools, tool_choice: "none" }, { tools: [] }, {}]) {
      const query = chat(without);
      expect(query.toolCalls).toBeUndefined();
      expect(query.prompt).not.toHaveProperty("input.tools");
    }
  });

  it("a developer is a system, and a message of calls alone has no content", () => {
    const turns = [
      { role: "developer", content: "x" },
      { role: "assistant", tool_calls: [{ function: { name: "f", arguments: "{}" } }] },
    ];
    expect(chat({ messages: turns }).prompt).toMatchObject({
      input: {
        messages: [
          { role: "system", content: "x" },
          {
            role: "assistant",
            content: null,
            tool_calls: [{ id: "", type: "function", function: { name: "f", arguments: "{}" } }],
          },
        ],
      },
    });
  });
});

describe("a completion's body", () => {
  it("has a text after the begin token, or token ids as they are", () => {
    expect(completion({}).prompt).toMatchObject({ kind: "text", text: "hi", first: 256 });
    expect(completion({ add_special_tokens: false }).prompt).toMatchObject({ first: undefined });
    expect(completion({ prompt: [1, 2, 3] }).prompt).toMatchObject({ kind: "tokens", ids: Uint32Array.of(1, 2, 3) });
  });

  it.each([
    [undefined, "prompt: is required"],
    [7, "prompt: must be a string or a list of token ids"],
    [[1, "a"], "prompt: must hold token ids from 0 to 257"],
    [["a", "b"], "prompt: may hold only one prompt: a string or a list of token ids"],
    [[[1], [2]], "prompt: may hold only one prompt: a string or a list of token ids"],
    [[], "prompt: must not be empty"],
    [[258], "prompt: must hold token ids from 0 to 257"],
    [[1.5], "prompt: must hold token ids from 0 to 257"],
    ["\ud800", "prompt: must be valid Unicode text"],
  ])("the prompt %j is refused: %s", (prompt, message) => {
    expect(refused(() => completion({ prompt }))).toEqual(["invalid_argument", message]);
  });

  it("of more ids than the context says so before its ids are read", () => {
    expect(refused(() => completion({ prompt: many(101, 9999) }))).toEqual([
      "context_length_exceeded",
      expect.stringMatching(/^prompt: the prompt has 101 tokens, and the context holds 100: /),
    ]);
  });

  it("with echo and logprobs asks for the prompt's log-probabilities", () => {
    expect(completion({ echo: true, logprobs: 2, max_tokens: 0 })).toMatchObject({
      echo: true,
      sampling: { topLogprobs: 2, promptTopLogprobs: 2 },
      budget: { asked: 0 },
    });
    expect(completion({ logprobs: 2 }).sampling.promptTopLogprobs).toBe(-1);
    // True and false are a chat's: how many there are to be is not said.
    for (const logprobs of [true, false]) expect(refused(() => completion({ logprobs }))[1]).toMatch(/^logprobs: must/);
  });

  it("may not end before more tokens than it asks for, or would get", () => {
    const message = ["invalid_argument", "min_tokens: must be at most max_tokens"];
    expect(refused(() => completion({ min_tokens: 5, max_tokens: 4 }))).toEqual(message);
    expect(refused(() => completion({ min_tokens: 17 }))).toEqual(message);
  });
});

describe("what is only turned into tokens, or out of them", () => {
  it("is a prompt or a conversation, of any length, for the served model or for none by name", () => {
    expect(tokenize({ prompt: many(200, 5) }).prompt).toMatchObject({ kind: "tokens" });
    const query = tokenize({ model: "tiny", messages, add_generation_prompt: false, return_token_strs: true });
    expect(query).toMatchObject({
      prompt: { kind: "chat", input: { addGenerationPrompt: false } },
      returnTokenTexts: true,
    });
    expect(refused(() => tokenize({ model: "other", messages }))[0]).toBe("model_not_found");
    expect(refused(() => tokenize({}))).toEqual(["invalid_argument", "prompt: is required"]);
  });

  it("takes ids of the vocabulary", () => {
    expect(readDetokenize({ tokens: [257] }, tinyFacts())).toEqual([257]);
    const refusal = (body: object) => refused(() => readDetokenize(body, tinyFacts()))[1];
    expect(refusal({})).toBe("tokens: is required");
    expect(refusal({ tokens: [258] })).toBe("tokens: must hold token ids from 0 to 257");
  });
});
