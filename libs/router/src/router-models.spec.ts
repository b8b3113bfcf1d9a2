import { create } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { RpcClient } from "@drover/rpc";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeCluster, FakeWorker } from "./testing/fake-cluster.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { done, end, started } from "./testing/worker-events.ts";

let scene = new RouterScene();
let other = new FakeCluster("other");
let otherWorker = new FakeWorker("o");

beforeEach(async () => {
  await scene.startCluster();
  await other.start();
  await otherWorker.start();
  other.show([otherWorker]);
  await scene.startRouter({ others: [other], requestsMax: 2 });
  await otherWorker.hellos.at(0);
});

afterEach(async () => {
  await scene.stop();
  otherWorker.stop();
  other.stop();
  scene = new RouterScene();
  other = new FakeCluster("other");
  otherWorker = new FakeWorker("o");
});

const ask = (model: string) => scene.post("/v1/completions", { model, prompt: "x", max_tokens: 5 });

/** The next request of the cluster is answered by its worker. */
async function answer(cluster: FakeCluster, worker: FakeWorker, text: string): Promise<void> {
  const { requestId } = await cluster.jobs.at(0);
  worker.send(requestId, 0, started(0));
  worker.sendText(requestId, 0, text);
  worker.send(requestId, 0, end(text.length), done);
}

describe("a router of two models", () => {
  it("has each answer what names it, by its own cluster", async () => {
    const replies = [ask("tiny"), ask("other")];
    await answer(other, otherWorker, "b");
    await answer(scene.cluster, scene.worker, "a");
    const bodies = (await Promise.all((await Promise.all(replies)).map((reply) => reply.json()))) as Json[];
    expect(bodies.map(({ model, choices }) => [model, choices[0].text])).toEqual([
      ["tiny", "a"],
      ["other", "b"],
    ]);
  });

  it("does so over gRPC too", async () => {
    using client = new RpcClient(scene.grpc);
    const request = create(publicApi.GenerateRequestSchema, { model: "other", prompt: { case: "text", value: "x" } });
    const call = client.serverStream(publicApi.Inference.method.generate, request);
    await answer(other, otherWorker, "b");
    const replies: publicApi.GenerateReply[] = [];
    for await (const reply of call) replies.push(reply);
    expect(replies.map(({ text }) => text).join("")).toBe("b");
    expect(replies[0]?.model).toBe("other");
  });

  it("lists both, and knows no third", async () => {
    const list = (await (await fetch(`${scene.url}/v1/models`)).json()) as Json;
    // What Anthropic's clients read of a page and of a model.
    expect(list).toMatchObject({ first_id: list.data.at(0).id, last_id: list.data.at(-1).id, has_more: false });
    const [first] = list.data;
    expect([first.type, first.display_name]).toEqual(["model", first.id]);
    expect([first.max_input_tokens, first.max_tokens]).toEqual([first.max_model_len, first.max_model_len]);
    expect(Date.parse(first.created_at)).toBe(first.created * 1000);
    expect(list.data.map(({ id }: Json) => id)).toEqual(["tiny", "small", "other"]);
    expect(((await (await fetch(`${scene.url}/v1/models/other`)).json()) as Json).id).toBe("other");
    expect((await ask("third")).status).toBe(404);
    expect((await fetch(`${scene.url}/v1/models/third`)).status).toBe(404);
  });

  it("answers to an alias under the model's own name, and says what the tokenizer's marks and the template are", async () => {
    const reply = ask("small");
    await answer(scene.cluster, scene.worker, "a");
    expect(((await (await reply).json()) as Json).model).toBe("tiny");
    const get = async (path: string) => (await (await fetch(scene.url + path)).json()) as Json;
    expect(await get("/v1/models/small")).toMatchObject({ id: "small", root: "tiny" });
    expect(await get("/tokenizer_info?model=small")).toEqual({
      vocab_size: 258,
      eos_token_ids: [257],
      bos_token: "<bos>",
      chat_template: "{{ messages }}",
    });
    expect([await get("/version"), await get("/ping")]).toEqual([{ version: "0.0.0-test" }, { status: "ok" }]);
  });

  it("counts each model's requests under its name, and holds no more of both than it may", async () => {
    const held = [ask("tiny"), ask("other")];
    await Promise.all([scene.cluster.jobs.at(0), other.jobs.at(0)]);
    expect((await ask("other")).status).toBe(429);
    const metrics = await scene.metrics();
    for (const name of ["tiny", "other"])
      expect(metrics).toMatch(
        new RegExp(`^drover_router_requests_in_flight\\{[^}]*model_name="${name}"[^}]*\\} 1$`, "m"),
      );
    expect(metrics.match(/^# TYPE vllm:num_requests_running/gm)).toHaveLength(1);
    await answer(other, otherWorker, "b");
    await answer(scene.cluster, scene.worker, "a");
    for (const reply of held) expect((await reply).status).toBe(200);
  });

  it("goes on with one where the other's cluster cannot serve", async () => {
    scene.cluster.show([scene.worker], false);
    const reply = ask("other");
    await answer(other, otherWorker, "b");
    expect((await reply).status).toBe(200);
    expect(scene.router?.ready).toBe(true);
  });
});
