import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { DroverError, neverAborted } from "@drover/core";
import { inferApi, publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "./test-cluster.ts";

const { chat, generate, tokenize, listModels } = publicApi.Inference.method;
const MODEL = "nano";

describe("a generated gRPC client works against the public interface", () => {
  let cluster: TestCluster;
  let client: RpcClient;

  beforeAll(async () => {
    cluster = await TestCluster.start({ expertWorkers: 2 });
    client = new RpcClient(`127.0.0.1:${cluster.grpcPort}`);
  });
  afterAll(async () => {
    client?.[Symbol.dispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  const question = (content: string) =>
    create(publicApi.ChatRequestSchema, {
      model: MODEL,
      messages: [{ role: "user", content }],
      options: { temperature: 0 },
    });

  test("Chat streams the right answer, with ids, an end and the usage", async () => {
    const replies = await all(client.serverStream(chat, question("What is the capital of France?")));
    expect(replies.map(({ text }) => text).join("")).toBe("The capital of France is Paris.");
    expect(replies.length).toBeGreaterThan(2);
    const last = replies.at(-1);
    expect(replies.map(({ finishReason }) => finishReason).filter(Boolean)).toEqual(["stop"]);
    expect(last?.usage?.promptTokens).toBe(replies[0]?.promptTokenIds.length);
    expect(last?.usage?.completionTokens).toBe(replies.flatMap(({ tokenIds }) => tokenIds).length);
  });

  test("KServe's protocol answers the same, whole and token by token", async () => {
    const { modelInfer, modelStreamInfer } = inferApi.GRPCInferenceService.method;
    const text = (value: string) => ({ bytesContents: [new TextEncoder().encode(value)] });
    const tensor = (
      name: string,
      datatype: string,
      contents: MessageInitShape<typeof inferApi.InferTensorContentsSchema>,
    ) => ({
      name,
      datatype,
      shape: [1n],
      contents,
    });
    const request = (stream: boolean) =>
      create(inferApi.ModelInferRequestSchema, {
        modelName: MODEL,
        id: "one",
        inputs: [
          tensor("text_input", "BYTES", text("The capital of")),
          tensor("max_tokens", "INT32", { intContents: [8] }),
          tensor("temperature", "FP32", { fp32Contents: [0] }),
          tensor("exclude_input_in_output", "BOOL", { boolContents: [true] }),
          tensor("stream", "BOOL", { boolContents: [stream] }),
        ],
      });
    const textIn = ({ outputs }: inferApi.ModelInferResponse) =>
      outputs
        .flatMap(({ contents }) => contents?.bytesContents ?? [])
        .map((bytes) => new TextDecoder().decode(bytes))
        .join("");
    const whole = textIn(await client.unary(modelInfer, request(false), neverAborted));
    expect(whole.length).toBeGreaterThan(4);
    const plain = new Client(`127.0.0.1:${cluster.grpcPort}`, credentials.createInsecure());
    const call = plain.makeBidiStreamRequest(
      `/${inferApi.GRPCInferenceService.typeName}/${modelStreamInfer.name}`,
      (message: inferApi.ModelInferRequest) => Buffer.from(toBinary(inferApi.ModelInferRequestSchema, message)),
      (bytes: Buffer) => fromBinary(inferApi.ModelStreamInferResponseSchema, bytes),
    );
    call.end(request(true));
    const answers: inferApi.ModelStreamInferResponse[] = [];
    for await (const one of call) answers.push(one);
    plain.close();
    expect(answers.length).toBe(8);
    expect(answers.flatMap(({ inferResponse }) => (inferResponse ? [textIn(inferResponse)] : [])).join("")).toBe(whole);
  });

  test("Options that vLLM has besides are those of HTTP: words, prompts that are cut, what is told of them", async () => {
    const ask = (options: MessageInitShape<typeof publicApi.SamplingOptionsSchema>) =>
      all(
        client.serverStream(
          generate,
          create(publicApi.GenerateRequestSchema, {
            model: MODEL,
            prompt: { case: "text", value: "The capital of" },
            addSpecialTokens: false,
            options: { temperature: 0, maxTokens: 4, ...options },
          }),
        ),
      );
    const [plain] = await ask({ promptLogprobs: 1 });
    expect(plain?.logprobs.map(({ tokenId }: publicApi.TokenLogprob) => tokenId)).toEqual(plain?.promptTokenIds);
    const [cut] = await ask({ truncatePromptTokens: 1 });
    expect(cut?.promptTokenIds).toEqual(plain?.promptTokenIds.slice(-1));
    const allowedTokenIds = plain?.promptTokenIds.slice(0, 2) ?? [];
    const chosen = (await ask({ allowedTokenIds })).flatMap(({ tokenIds }) => tokenIds);
    for (const id of chosen) expect(allowedTokenIds).toContain(id);
    const wordless = await all(
      client.serverStream(chat, {
        ...question("What is the capital of France?"),
        options: create(publicApi.SamplingOptionsSchema, { temperature: 0, maxTokens: 12, badWords: ["Paris"] }),
      }),
    );
    expect(wordless.map(({ text }) => text).join("")).not.toContain("Paris");
  });

  test("Generate continues text and token ids alike, with log-probabilities and experts", async () => {
    const options = { temperature: 0, maxTokens: 8, topLogprobs: 1, returnRoutedExperts: true };
    const byText = await all(
      client.serverStream(
        generate,
        create(publicApi.GenerateRequestSchema, {
          model: MODEL,
          prompt: { case: "text", value: "The capital of" },
          options,
        }),
      ),
    );
    const ids = byText[0]?.promptTokenIds ?? [];
    const byIds = await all(
      client.serverStream(
        generate,
        create(publicApi.GenerateRequestSchema, {
          model: MODEL,
          prompt: { case: "tokenIds", value: { ids } },
          options,
        }),
      ),
    );
    const tokens = byText.flatMap(({ tokenIds }) => tokenIds);
    expect(tokens.length).toBeGreaterThan(0);
    expect(byIds.flatMap(({ tokenIds }) => tokenIds)).toEqual(tokens);
    const logprobs = byText.flatMap((reply) => reply.logprobs);
    expect(logprobs.map(({ tokenId }) => tokenId)).toEqual(tokens);
    // Greedy: what was chosen is the likeliest.
    for (const entry of logprobs) expect(entry.top[0]?.tokenId).toBe(entry.tokenId);
    const experts = byText.flatMap((reply) => reply.routedExperts);
    expect(experts.length).toBe(ids.length + tokens.length - 1);
    for (const row of experts) expect(row.experts.length).toBe(4);
  });

  test("Tokenize gives the ids that Chat computes", async () => {
    const request = question("สวัสดี 🦙");
    const reply = await client.unary(
      tokenize,
      create(publicApi.TokenizeRequestSchema, { model: MODEL, input: { case: "chat", value: request } }),
      neverAborted,
    );
    const replies = await all(client.serverStream(chat, request));
    expect(reply.tokenIds).toEqual(replies[0]?.promptTokenIds);
  });

  test("ListModels names the model and its context", async () => {
    const reply = await client.unary(listModels, create(publicApi.ListModelsRequestSchema), neverAborted);
    expect(reply.models.map(({ id }) => id)).toEqual([MODEL]);
    expect(reply.models[0]?.contextTokensMax).toBeGreaterThan(0n);
  });

  test("health says that it serves", async () => {
    // grpc.health.v1: HealthCheckResponse { status = 1: SERVING = 1 }, as raw bytes, so that nothing of ours reads it.
    expect([...(await raw("/grpc.health.v1.Health/Check", Buffer.alloc(0)))]).toEqual([0x08, 0x01]);
  });

  test("reflection lists the service", async () => {
    // grpc.reflection.v1: ServerReflectionRequest { list_services = 7: "" }.
    const bytes = await reflect(Buffer.from([0x3a, 0x00]));
    expect(bytes.toString("latin1")).toContain(publicApi.Inference.typeName);
  });

  test("what is wrong is INVALID_ARGUMENT with the field's name, an unknown model NOT_FOUND", async () => {
    const wrong: readonly [string, string, MessageInitShape<typeof publicApi.ChatRequestSchema>][] = [
      ["invalid_argument", "temperature", { options: { temperature: -1 } }],
      ["invalid_argument", "top_p", { options: { topP: 2 } }],
      ["invalid_argument", "messages[0].role", { messages: [{ role: "robot", content: "Hi" }] }],
      ["invalid_argument", "messages", { messages: [] }],
      ["model_not_found", "model", { model: "gpt" }],
    ];
    for (const [code, field, change] of wrong) {
      const request = create(publicApi.ChatRequestSchema, {
        model: MODEL,
        messages: [{ role: "user", content: "Hi" }],
        ...change,
      });
      const error = await all(client.serverStream(chat, request)).catch((fault: unknown) => fault);
      expect(error).toMatchObject({ code: code === "model_not_found" ? 5 : 3 });
      expect((error as Error).message).toContain(`${field}: `);
    }
    const error = await client
      .unary(
        tokenize,
        create(publicApi.TokenizeRequestSchema, { model: "gpt", input: { case: "text", value: "x" } }),
        neverAborted,
      )
      .catch((fault: unknown) => fault);
    expect(error).toBeInstanceOf(DroverError);
    expect(error).toMatchObject({ code: "model_not_found", field: "model" });
  });

  function raw(path: string, request: Buffer): Promise<Buffer> {
    const plain = new Client(`127.0.0.1:${cluster.grpcPort}`, credentials.createInsecure());
    return new Promise<Buffer>((resolve, reject) => {
      const same = (bytes: Buffer) => bytes;
      plain.makeUnaryRequest(path, same, same, request, (error, reply) =>
        error || reply === undefined ? reject(error) : resolve(reply),
      );
    }).finally(() => plain.close());
  }

  async function reflect(request: Buffer): Promise<Buffer> {
    const plain = new Client(`127.0.0.1:${cluster.grpcPort}`, credentials.createInsecure());
    const same = (bytes: Buffer) => bytes;
    const call = plain.makeBidiStreamRequest("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", same, same);
    try {
      call.write(request);
      call.end();
      return Buffer.concat(await all<Buffer>(call));
    } finally {
      plain.close();
    }
  }
});

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const replies: T[] = [];
  for await (const reply of stream) replies.push(reply);
  return replies;
}
