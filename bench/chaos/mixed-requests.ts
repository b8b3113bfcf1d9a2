import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../tests/e2e/test-cluster.ts";

/** One request of a kind, always the same: what comes of it is known. */
export type MixedRequest = Readonly<{ kind: string; path: string; body: Readonly<Record<string, unknown>> }>;

const COMMON = { model: "nano", stream: true } as const;
const CHAT = "/v1/chat/completions";

const ask = (kind: string, content: unknown, more: Readonly<Record<string, unknown>>): MixedRequest => ({
  kind,
  path: CHAT,
  body: { ...COMMON, temperature: 0, messages: [{ role: "user", content }], ...more },
});

const NOTES = ["quiver", "helmet", "barrel", "vapor"].map((name, i) => `The odd ${name} is ${137 + 53 * i}.`);

const TOOLS = ["get_time", "get_weather"].map((name) => ({
  type: "function",
  function: {
    name,
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
}));

const PERSON = {
  type: "json_schema",
  json_schema: {
    name: "person",
    schema: {
      type: "object",
      properties: { name: { type: "string" }, age: { type: "integer" }, city: { type: "string" } },
      required: ["name", "age", "city"],
      additionalProperties: false,
    },
  },
};

/** Ids that are nobody's text: a prompt of any length. */
const idsOf = (length: number) => Array.from({ length }, (_, i) => (i * 7919 + length * 104_729) % 3000);

/** Of each kind of stream that a lost worker must not change one: text, tools, a grammar, four choices that are drawn and penalized, a picture; and a long prompt, whose old rows context workers have where there are any. */
export function mixedRequests(): readonly MixedRequest[] {
  const picture = readFileSync(join(ROOT, "models/nano/shapes.png")).toString("base64");
  return [
    ask("text", `${NOTES.join("\n")}\nSay these notes in order.`, { max_tokens: 48 }),
    ask("tools", "What time is it in Paris?", { tools: TOOLS, max_tokens: 48 }),
    ask("grammar", "As JSON: Amir is 72 years old and lives in Rome.", { response_format: PERSON, max_tokens: 48 }),
    ask(
      "picture",
      [
        { type: "text", text: "What is in this image?" },
        { type: "image_url", image_url: { url: `data:image/png;base64,${picture}` } },
      ],
      { max_tokens: 32 },
    ),
    {
      kind: "choices",
      path: "/v1/completions",
      body: {
        ...COMMON,
        ...{ prompt: "Once upon a time", n: 4, seed: 11, temperature: 0.8, max_tokens: 32, ignore_eos: true },
        ...{ presence_penalty: 0.5, frequency_penalty: 0.5 },
      },
    },
    {
      kind: "long",
      path: "/v1/completions",
      body: { ...COMMON, prompt: idsOf(3000), max_tokens: 24, temperature: 0, ignore_eos: true },
    },
  ];
}
