import { http, type Shape } from "./shape.ts";

const CHAT = "/v1/chat/completions";

/** Small ones of which much is to be made. */
export function small(): Shape[] {
  const schema = (depth: number, one: object): object =>
    depth === 0 ? one : { type: "object", properties: { a: schema(depth - 1, one), b: schema(depth - 1, one) } };
  const constrained = (asked: object) =>
    JSON.stringify({ model: "nano", max_tokens: 1, messages: [{ role: "user", content: "x" }], ...asked });
  const json = (one: object) => constrained({ structured_outputs: { json: one } });
  const pattern = { structured_outputs: { regex: "([a-z]{1,40}-?){1,90}" } };
  return [
    http("a schema of 300 properties", CHAT, json(wide(300))),
    http("a schema of many levels", CHAT, json(schema(8, { type: "string", maxLength: 40 }))),
    http("a pattern of many repetitions", CHAT, constrained(pattern)),
    http("strict tools", CHAT, constrained({ tools: strictTools(40), tool_choice: "required" })),
    http("many lists below 16 KiB", CHAT, constrained({ x: Array.from({ length: 5_000 }, () => []) })),
    http("a bias for many tokens below 16 KiB", CHAT, constrained({ logit_bias: biases(1_200) })),
  ];
}

/** Answers of many bytes: what is known of a prompt's tokens. */
export function replies(): Shape[] {
  const prompt = Array.from({ length: 20_000 }, (_, i) => 300 + (i % 500));
  const scored = { model: "nano", max_tokens: 1, prompt, prompt_logprobs: 20 };
  const chat = {
    model: "nano",
    max_tokens: 1,
    prompt_logprobs: 20,
    messages: [{ role: "user", content: "a b c ".repeat(3_000) }],
  };
  const echoed = { ...scored, prompt_logprobs: undefined, echo: true, logprobs: 5 };
  const whole = (name: string, path: string, body: object) => [
    http(name, path, JSON.stringify(body)),
    http(`${name}, streamed`, path, JSON.stringify({ ...body, stream: true })),
  ];
  return [
    ...whole("log-probabilities of a prompt", "/v1/completions", scored),
    ...whole("an echo with log-probabilities", "/v1/completions", echoed),
    ...whole("log-probabilities of a conversation", CHAT, chat),
    ...whole("16 echoes", "/v1/completions", {
      model: "nano",
      max_tokens: 1,
      n: 16,
      echo: true,
      prompt: "a b c ".repeat(5_000),
    }),
  ];
}

/** What a response repeats: about as many values as a body may have. */
export const toolsRepeated = () => {
  const parameters = { type: "object", examples: Array.from({ length: 90_000 }, () => []) };
  const tools = [{ type: "function", name: "f", parameters }];
  return JSON.stringify({ model: "nano", max_output_tokens: 16, input: "x", tools });
};
export const metadataRepeated = () => {
  const metadata = Object.fromEntries(Array.from({ length: 190_000 }, (_, i) => [`key${i}`, "value"]));
  return JSON.stringify({ model: "nano", max_output_tokens: 16, input: "x", metadata });
};

const biases = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [String(i + 300), 1]));

const wide = (count: number) => ({
  type: "object",
  properties: Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, { type: "string", maxLength: 99 }])),
});

const strictTools = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    type: "function",
    function: {
      name: `f${i}`,
      strict: true,
      parameters: { ...wide(5), required: ["p0"], additionalProperties: false },
    },
  }));
