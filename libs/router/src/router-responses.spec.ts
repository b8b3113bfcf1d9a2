import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AnsweringWorker } from "./testing/answering-worker.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";

let scene: RouterScene;

beforeEach(async () => {
  scene = new RouterScene();
  await scene.startCluster();
  await scene.startRouter();
  new AnsweringWorker(scene.cluster, scene.worker, () => ["hello"]);
});
afterEach(() => scene.stop());

const ask = async (body: object): Promise<Json> =>
  (await scene.post("/v1/responses", { model: "tiny", ...body })).json();
const get = async (path: string): Promise<Json> => (await fetch(scene.url + path)).json();

const call = { type: "function_call", call_id: "c", name: "f", arguments: '{"a":1}' };
const answered = { type: "function_call_output", call_id: "c", output: "42" };

describe("what a response was made from", () => {
  it("is listed with the turns before it, the newest first, page by page, and each item can be referred to", async () => {
    const first = await ask({ input: "hi", instructions: "be short" });
    const second = await ask({ input: [call, answered], previous_response_id: first.id });
    const path = `/v1/responses/${second.id}/input_items`;
    const all = await get(`${path}?order=asc&limit=100`);
    expect(all.data).toMatchObject([
      { type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] },
      { type: "message", role: "assistant", content: [{ type: "output_text", text: "hello" }] },
      call,
      answered,
    ]);
    const ids = all.data.map(({ id }: Json) => id);
    const newest = await get(`${path}?limit=3`);
    expect(newest.data.map(({ id }: Json) => id)).toEqual(ids.toReversed().slice(0, 3));
    expect(newest).toMatchObject({ object: "list", has_more: true, first_id: ids[3], last_id: ids[1] });
    const rest = await get(`${path}?limit=3&after=${newest.last_id}`);
    expect([rest.data.map(({ id }: Json) => id), rest.has_more]).toEqual([[ids[0]], false]);
    const third = await ask({ input: [{ type: "item_reference", id: ids[0] }], store: false });
    expect(third.status).toBe("completed");
  });

  it.each([
    ["limit=0", 400, "limit"],
    ["order=up", 400, "order"],
    ["after=msg_none", 404, "after"],
    ["limit=1&limit=2", 400, "limit"],
  ])("is refused by name when asked for with %s", async (query, status, param) => {
    const { id } = await ask({ input: "hi" });
    const reply = await fetch(`${scene.url}/v1/responses/${id}/input_items?${query}`);
    expect([reply.status, ((await reply.json()) as Json).error.param]).toEqual([status, param]);
    expect((await fetch(`${scene.url}/v1/responses/resp_none/input_items`)).status).toBe(404);
  });

  it("is counted before it is sent as it is afterwards, with or without a model's name", async () => {
    const first = await ask({ input: "hi" });
    const next = { input: "and?", instructions: "be short", previous_response_id: first.id };
    const { usage } = await ask(next);
    for (const body of [next, { ...next, model: "tiny" }]) {
      const counted = await scene.post("/v1/responses/input_tokens", body);
      expect(await counted.json()).toEqual({ object: "response.input_tokens", input_tokens: usage.input_tokens });
    }
    const none = await scene.post("/v1/responses/input_tokens", { ...next, previous_response_id: "resp_none" });
    expect(none.status).toBe(404);
  });
});
