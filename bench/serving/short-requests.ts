import { create, toBinary } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import type { Client } from "@grpc/grpc-js";
import { RawClient, type RawRequest, rawRequest } from "./raw-client.ts";

type Kind = Readonly<{ name: string; weight: number; status: number; make: (serial: number) => RawRequest }>;

const MODEL = "nano";
const TOKENS = 3;
/** Until a client leaves, its answer has far more to come. */
const TOKENS_LEFT = 400;

/** Names and texts that no other request has: what is kept by them would grow. */
const prompt = (serial: number) => `question ${serial} of ${(serial * 7919) % 10_007}`;
const post = (path: string, body: unknown, headers?: Readonly<Record<string, string>>): RawRequest => ({
  bytes: rawRequest("POST", path, body, headers),
});
const chat = (serial: number, more: object = {}) => ({
  ...{ model: MODEL, messages: [{ role: "user", content: prompt(serial) }], max_tokens: TOKENS },
  ...more,
});
const TOOL = {
  type: "function",
  function: {
    name: "weather",
    strict: true,
    parameters: {
      type: "object",
      properties: { city: { type: "string" }, days: { type: "integer" } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};

/** What short requests are of, how many of each among a hundred, and the status that each is to have. */
const KINDS: readonly Kind[] = [
  {
    name: "chat",
    weight: 14,
    status: 200,
    make: (i) => post("/v1/chat/completions", chat(i), { "x-request-id": `name-${i}` }),
  },
  {
    name: "chat, streamed",
    weight: 18,
    status: 200,
    make: (i) => post("/v1/chat/completions", chat(i, { stream: true, user: `user-${i}` })),
  },
  {
    name: "completion",
    weight: 6,
    status: 200,
    make: (i) => post("/v1/completions", { model: MODEL, prompt: prompt(i), max_tokens: TOKENS, n: 2 }),
  },
  {
    name: "completion, streamed",
    weight: 6,
    status: 200,
    make: (i) => post("/v1/completions", { model: MODEL, prompt: prompt(i), max_tokens: TOKENS, stream: true }),
  },
  {
    name: "response, kept",
    weight: 5,
    status: 200,
    make: (i) => post("/v1/responses", { model: MODEL, input: prompt(i), max_output_tokens: TOKENS }),
  },
  {
    name: "response, streamed, not kept",
    weight: 5,
    status: 200,
    make: (i) =>
      post("/v1/responses", { model: MODEL, input: prompt(i), max_output_tokens: TOKENS, store: false, stream: true }),
  },
  {
    name: "response in the background",
    weight: 2,
    status: 200,
    make: (i) => post("/v1/responses", { model: MODEL, input: prompt(i), max_output_tokens: TOKENS, background: true }),
  },
  { name: "message", weight: 4, status: 200, make: (i) => post("/v1/messages", chat(i)) },
  { name: "message, streamed", weight: 4, status: 200, make: (i) => post("/v1/messages", chat(i, { stream: true })) },
  { name: "tokenize", weight: 4, status: 200, make: (i) => post("/tokenize", { model: MODEL, prompt: prompt(i) }) },
  {
    name: "detokenize",
    weight: 2,
    status: 200,
    make: (i) => post("/detokenize", { model: MODEL, tokens: [64, 65 + (i % 20)] }),
  },
  {
    name: "tools",
    weight: 3,
    status: 200,
    make: (i) => post("/v1/chat/completions", chat(i, { tools: [TOOL], tool_choice: "required" })),
  },
  {
    name: "schema",
    weight: 2,
    status: 200,
    make: (i) =>
      post(
        "/v1/chat/completions",
        chat(i, {
          response_format: {
            type: "json_schema",
            json_schema: {
              name: `schema${i}`,
              schema: { type: "object", properties: { [`field${i}`]: { type: "string" } } },
            },
          },
        }),
      ),
  },
  {
    name: "keyed",
    weight: 4,
    status: 200,
    make: (i) => post("/v1/chat/completions", chat(i, { stream: i % 2 === 0 }), { "idempotency-key": `key-${i}` }),
  },
  { name: "no JSON", weight: 3, status: 400, make: (i) => post("/v1/chat/completions", `{"model": "nano", ${i}`) },
  {
    name: "wrong field",
    weight: 4,
    status: 400,
    make: (i) => post("/v1/chat/completions", chat(i, { temperature: `hot-${i}` })),
  },
  {
    name: "unknown model",
    weight: 2,
    status: 404,
    make: (i) => post("/v1/completions", { model: `model-${i}`, prompt: "x" }),
  },
  {
    name: "unknown path",
    weight: 2,
    status: 404,
    make: (i) => ({ bytes: rawRequest("GET", `/v1/path-${i}?query=${i}`) }),
  },
  {
    name: "client leaves",
    weight: 4,
    status: 200,
    make: (i) => ({
      ...post("/v1/chat/completions", chat(i, { stream: true, max_tokens: TOKENS_LEFT })),
      leaves: true,
    }),
  },
];
const GRPC_WEIGHT = 6;

/** Each kind as often as its weight says, the kinds one after the other: short rows of one kind would be told apart by nothing. */
const ROW: readonly (Kind | "grpc")[] = interleaved();

function interleaved(): (Kind | "grpc")[] {
  const all = [
    ...KINDS.flatMap((kind) => Array.from({ length: kind.weight }, () => kind)),
    ...Array.from({ length: GRPC_WEIGHT }, () => "grpc" as const),
  ];
  // 37 has no divisor with the length in common, so that each place is taken once.
  return all.map((_, place) => all[(place * 37) % all.length] ?? "grpc");
}

/** Asks short requests of all kinds, so many at once. Counts by kind those that had their status, and what else came. */
export class ShortRequests {
  readonly counts = new Map<string, number>();
  readonly faults = new Map<string, number>();
  readonly #clients: readonly RawClient[];
  readonly #grpc: Client;
  #serial = 0;

  constructor(url: string, grpc: Client, atOnce: number) {
    this.#clients = Array.from({ length: atOnce }, () => new RawClient(url));
    this.#grpc = grpc;
  }

  async send(count: number): Promise<void> {
    let left = count;
    const ask = async (client: RawClient) => {
      while (left-- > 0) await this.#one(client, this.#serial++);
    };
    await Promise.all(this.#clients.map(ask));
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  async #one(client: RawClient, serial: number): Promise<void> {
    const kind = ROW[serial % ROW.length] ?? "grpc";
    const name = kind === "grpc" ? "gRPC" : kind.name;
    const wanted = kind === "grpc" ? 0 : kind.status;
    const found = await (kind === "grpc" ? this.#call(serial) : client.ask(kind.make(serial))).catch(String);
    const counts = found === wanted ? this.counts : this.faults;
    const what = found === wanted ? name : `${name}: ${found}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }

  /** The code of a streamed call's end. */
  #call(serial: number): Promise<number> {
    const { GenerateRequestSchema, Inference } = publicApi;
    const request = create(GenerateRequestSchema, {
      model: MODEL,
      prompt: { case: "text", value: prompt(serial) },
      options: { maxTokens: TOKENS },
    });
    const same = (bytes: Buffer) => bytes;
    return new Promise((resolve) => {
      const bytes = Buffer.from(toBinary(GenerateRequestSchema, request));
      const call = this.#grpc.makeServerStreamRequest(`/${Inference.typeName}/Generate`, same, same, bytes);
      call.on("data", () => undefined).on("error", () => undefined);
      call.on("status", ({ code }) => resolve(code));
    });
  }
}
