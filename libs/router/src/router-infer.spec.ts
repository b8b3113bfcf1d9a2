import { once } from "node:events";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { neverAborted } from "@drover/core";
import { inferApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { keyDigest } from "@drover/tenants";
import { Client, credentials, Metadata, status as Status } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

const { modelInfer, modelMetadata, modelReady, serverLive, serverMetadata, serverReady } =
  inferApi.GRPCInferenceService.method;

let scene: RouterScene;
let client: RpcClient;
beforeEach(async () => {
  scene = new RouterScene();
  await scene.startCluster();
});
afterEach(async () => {
  client?.[Symbol.dispose]();
  await scene.stop();
});

const start = async (options: Parameters<RouterScene["startRouter"]>[0] = {}) => {
  await scene.startRouter(options);
  client = new RpcClient(scene.grpc);
};

type Fields = MessageInitShape<typeof inferApi.ModelInferRequestSchema>;
type Tensor = MessageInitShape<typeof inferApi.ModelInferRequest_InferInputTensorSchema>;

const bytes = (name: string, ...texts: string[]): Tensor => ({
  name,
  datatype: "BYTES",
  shape: [BigInt(texts.length)],
  contents: { bytesContents: texts.map((text) => new TextEncoder().encode(text)) },
});
const bool = (name: string, value: boolean): Tensor => ({
  name,
  datatype: "BOOL",
  shape: [1n],
  contents: { boolContents: [value] },
});
const int = (name: string, value: number): Tensor => ({
  name,
  datatype: "INT32",
  shape: [1n, 1n],
  contents: { intContents: [value] },
});

function request(inputs: Tensor[], fields: Fields = {}): inferApi.ModelInferRequest {
  const built = { modelName: "tiny", id: "my-1", ...fields, inputs } as Fields;
  return create(inferApi.ModelInferRequestSchema, built);
}

const textOf = (answer: inferApi.ModelInferResponse | undefined, name = "text_output") =>
  answer?.outputs
    .find((output) => output.name === name)
    ?.contents?.bytesContents.map((text) => new TextDecoder().decode(text));

/** Has the worker answer a job with letters. */
async function answer(index: number, text: string): Promise<void> {
  const { requestId } = await scene.cluster.jobs.at(index);
  scene.worker.send(requestId, 0, started(0));
  for (const [i, letter] of [...text].entries()) scene.worker.sendText(requestId, 0, letter, i);
  scene.worker.send(requestId, 0, end(text.length), done);
}

const infer = (message: inferApi.ModelInferRequest) => client.unary(modelInfer, message, neverAborted);

/** A call of the stream over grpc-js alone, as other languages' clients make it. */
function openStream(metadata = new Metadata()) {
  const plain = new Client(scene.grpc, credentials.createInsecure());
  const call = plain.makeBidiStreamRequest(
    "/inference.GRPCInferenceService/ModelStreamInfer",
    (message: inferApi.ModelInferRequest) => Buffer.from(toBinary(inferApi.ModelInferRequestSchema, message)),
    (sent: Buffer) => fromBinary(inferApi.ModelStreamInferResponseSchema, sent),
    metadata,
  );
  call.on("error", () => undefined);
  const answers: inferApi.ModelStreamInferResponse[] = [];
  call.on("data", (one: inferApi.ModelStreamInferResponse) => answers.push(one));
  call.once("close", () => plain.close());
  return { call, answers };
}

it("a server and a model tell whether they live and are ready, and what goes in and comes out", async () => {
  await start();
  expect((await client.unary(serverLive, create(inferApi.ServerLiveRequestSchema), neverAborted)).live).toBe(true);
  expect((await client.unary(serverReady, create(inferApi.ServerReadyRequestSchema), neverAborted)).ready).toBe(true);
  const ready = async (name: string, version = "") =>
    (await client.unary(modelReady, create(inferApi.ModelReadyRequestSchema, { name, version }), neverAborted)).ready;
  expect([await ready("tiny"), await ready("tiny", "1"), await ready("tiny", "2"), await ready("other")]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  const server = await client.unary(serverMetadata, create(inferApi.ServerMetadataRequestSchema), neverAborted);
  expect(server.name).toBe("drover");
  const asked = create(inferApi.ModelMetadataRequestSchema, { name: "tiny" });
  const model = await client.unary(modelMetadata, asked, neverAborted);
  expect(model.inputs.find(({ name }) => name === "text_input")).toMatchObject({ datatype: "BYTES", shape: [1n] });
  expect(model.outputs.map(({ name }) => name)).toContain("text_output");
  await expect(
    client.unary(modelMetadata, create(inferApi.ModelMetadataRequestSchema, { name: "other" }), neverAborted),
  ).rejects.toMatchObject({ code: "model_not_found", field: "name" });
});

it("a text is answered whole, behind itself unless it is left out, with what is asked to be told of it", async () => {
  await start();
  const told = [bool("return_finish_reason", true), bool("return_num_output_tokens", true)];
  const whole = infer(request([bytes("text_input", "hi"), int("max_tokens", 3), ...told]));
  await answer(0, "ab");
  const first = await whole;
  expect(first).toMatchObject({ modelName: "tiny", modelVersion: "1", id: "my-1" });
  expect(textOf(first)).toEqual(["hiab"]);
  expect(textOf(first, "finish_reason")).toEqual(["stop"]);
  expect(first.outputs.at(-1)?.contents?.uintContents.length).toBe(1);
  const alone = infer(request([bytes("text_input", "hi"), bool("exclude_input_in_output", true)]));
  await answer(1, "ab");
  expect(textOf(await alone)).toEqual(["ab"]);
});

it("raw contents are read as lists are, and answered in kind", async () => {
  await start();
  const raw = [Buffer.from([2, 0, 0, 0, 104, 105]), Buffer.from([3, 0, 0, 0]), Buffer.from([1])];
  const bare = ({ contents: _, ...tensor }: Tensor & object) => tensor as Tensor;
  const inputs = [bytes("text_input", "hi"), int("max_tokens", 3), bool("exclude_input_in_output", true)].map(bare);
  const reply = infer(request(inputs, { rawInputContents: raw }));
  await answer(0, "ab");
  const { outputs, rawOutputContents } = await reply;
  expect(outputs).toMatchObject([{ name: "text_output", datatype: "BYTES", shape: [1n] }]);
  expect(outputs[0]?.contents).toBeUndefined();
  expect(rawOutputContents.map((one) => [...one])).toEqual([[2, 0, 0, 0, 97, 98]]);
});

it("options come as inputs, as JSON and as parameters, and mean what they mean over HTTP", async () => {
  await start();
  const json = bytes("sampling_parameters", JSON.stringify({ max_tokens: "5", temperature: "0.5", stop: ["x"] }));
  const parameters = {
    seed: { parameterChoice: { case: "int64Param", value: 7n } },
    top_p: { parameterChoice: { case: "stringParam", value: "0.25" } },
    triton_enable_empty_final_response: { parameterChoice: { case: "boolParam", value: true } },
  } as NonNullable<Fields["parameters"]>;
  const reply = infer(request([bytes("text_input", "hi"), json, int("max_tokens", 4)], { parameters }));
  const { payload } = await scene.cluster.jobs.at(0);
  const { sampling } = scene.cluster.request(payload);
  expect(sampling).toMatchObject({ maxTokens: 4, temperature: 0.5, topP: 0.25, seed: 7n });
  await answer(0, "a");
  await reply;
});

it("what is no input, no text or not served is refused by its name before anything is queued", async () => {
  await start();
  const text = bytes("text_input", "hi");
  const cases: [inferApi.ModelInferRequest, string, string][] = [
    [request([]), "invalid_argument", "text_input"],
    [request([text, int("nonsense", 1)]), "invalid_argument", "nonsense"],
    [request([text, int("beam_width", 2)]), "invalid_argument", "beam_width"],
    [request([text, bool("return_logprobs", true)]), "invalid_argument", "return_logprobs"],
    [request([text, { ...int("temperature", 9) }]), "invalid_argument", "temperature"],
    [request([text, bool("stream", true)]), "invalid_argument", "stream"],
    [request([int("text_input", 1)]), "invalid_argument", "text_input"],
    [request([{ ...text, shape: [3n] }]), "invalid_argument", "text_input"],
    [request([text, bytes("sampling_parameters", "[")]), "invalid_argument", "sampling_parameters"],
    [request([text], { outputs: [{ name: "logits" }] }), "invalid_argument", "outputs.logits"],
    [
      request([text], { rawInputContents: [Buffer.alloc(1), Buffer.alloc(1)] }),
      "invalid_argument",
      "raw_input_contents",
    ],
    [request([text], { modelName: "other" }), "model_not_found", "model_name"],
    [request([text], { modelVersion: "2" }), "model_not_found", "model_version"],
  ];
  for (const [message, code, field] of cases) await expect(infer(message)).rejects.toMatchObject({ code, field });
  expect(scene.cluster.jobs.all).toHaveLength(0);
});

it("a shape with a negative number, and raw contents that end within an element, are refused by the input's name", async () => {
  await start();
  const text = bytes("text_input", "hi");
  const bare = ({ contents: _, ...tensor }: Tensor & object) => tensor as Tensor;
  const raw = (...rawInputContents: Buffer[]) =>
    infer(request([bare(text), bare(int("max_tokens", 1))].slice(0, rawInputContents.length), { rawInputContents }));
  const whole = Buffer.from([2, 0, 0, 0, 104, 105]);
  const cases: [ReturnType<typeof infer>, string, string][] = [
    [infer(request([{ ...text, shape: [-1n] }])), "text_input", "negative"],
    [infer(request([{ ...text, shape: [-1n, -1n] }])), "text_input", "negative"],
    [raw(Buffer.from([1, 0, 0, 0, 104, 105])), "text_input", "within an element"],
    [raw(Buffer.from([9, 0, 0, 0, 104])), "text_input", "within an element"],
    [raw(Buffer.concat([whole, Buffer.alloc(3)])), "text_input", "within an element"],
    [raw(whole, Buffer.from([1, 0, 0, 0, 1])), "max_tokens", "within an element"],
  ];
  for (const [reply, field, words] of cases)
    await expect(reply).rejects.toMatchObject({
      code: "invalid_argument",
      field,
      message: expect.stringContaining(words),
    });
  expect(scene.cluster.jobs.all).toHaveLength(0);
});

it("a stream answers each request token by token, says which answer is the last, and goes on after one that is refused", async () => {
  await start();
  const { call, answers } = openStream();
  call.write(request([bytes("text_input", "hi"), bool("stream", true)], { id: "one" }));
  await answer(0, "ab");
  await expect.poll(() => answers.length).toBe(3);
  expect(answers.flatMap(({ inferResponse }) => textOf(inferResponse))).toEqual(["a", "b", ""]);
  const finals = answers.map(({ inferResponse }) => inferResponse?.parameters.triton_final_response?.parameterChoice);
  expect(finals.map((choice) => choice?.value)).toEqual([false, false, true]);
  call.write(request([], { id: "two" }));
  await expect.poll(() => answers.length).toBe(4);
  expect(answers[3]).toMatchObject({ errorMessage: "text_input: is required", inferResponse: { id: "two" } });
  call.write(request([bytes("text_input", "hi")], { id: "three" }));
  call.end();
  await answer(1, "c");
  await once(call, "end");
  expect(answers[4]?.inferResponse?.id).toBe("three");
  expect(textOf(answers[4]?.inferResponse)).toEqual(["hic"]);
});

it("a client that leaves cancels all of its requests", async () => {
  await start();
  const { call } = openStream();
  call.write(request([bytes("text_input", "hi"), bool("stream", true)]));
  call.write(request([bytes("text_input", "hi"), bool("stream", true)]));
  const { requestId } = await scene.cluster.jobs.at(1);
  call.cancel();
  await expect.poll(() => scene.cluster.queueCancels.all).toContain(requestId);
  await expect.poll(() => new Set(scene.cluster.queueCancels.all).size).toBe(2);
});

it("who has no key learns whether the server lives, and nothing else", async () => {
  await start({ keys: [JSON.stringify({ name: "acme", key_sha256: keyDigest("key") })] });
  expect((await client.unary(serverLive, create(inferApi.ServerLiveRequestSchema), neverAborted)).live).toBe(true);
  await expect(infer(request([bytes("text_input", "hi")]))).rejects.toMatchObject({ code: "unauthenticated" });
  const { call } = openStream();
  const code = await new Promise((resolve) => call.once("status", (status) => resolve(status.code)));
  expect(code).toBe(Status.UNAUTHENTICATED);
  const metadata = new Metadata();
  metadata.set("authorization", "Bearer key");
  const mine = openStream(metadata);
  mine.call.end(request([bytes("text_input", "hi"), bool("stream", true)]));
  await answer(0, "a");
  await once(mine.call, "end");
  expect(textOf(mine.answers[0]?.inferResponse)).toEqual(["a"]);
});
