import { at } from "@drover/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Router } from "./router.ts";
import { AnsweringWorker } from "./testing/answering-worker.ts";
import { eventsOf, until } from "./testing/numbered-events.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { startTestRouter } from "./testing/test-router.ts";

let scene: RouterScene;
let other: { router: Router; url: string };
let worker: AnsweringWorker;

beforeEach(async () => {
  scene = new RouterScene();
  await scene.startCluster();
  await scene.startRouter();
  const started = await startTestRouter(scene.cluster, {});
  await started.ready;
  other = started;
  worker = new AnsweringWorker(scene.cluster, scene.worker, () => ["hello"]);
});
afterEach(async () => {
  await other.router.close();
  await scene.stop();
});

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

describe("a response in the background", () => {
  const later = { input: "hi", background: true };
  const statusAt = async (url: string, id: string) =>
    ((await (await fetch(`${url}/v1/responses/${id}`)).json()) as Json).status;
  const eventsAt = async (url: string, id: string, query = "") =>
    eventsOf(await (await fetch(`${url}/v1/responses/${id}?stream=true${query}`)).text());
  /** What is under way says no more than so many tokens. */
  const stopAt = (tokenCount: number) => {
    worker.tokenCountMax = tokenCount;
  };
  const gone = () => {
    scene.cluster.ignoredKeys = /^keyed-router/;
    for (const key of scene.cluster.payloads.keys())
      if (key.startsWith("keyed-router")) scene.cluster.payloads.delete(key);
  };

  it("is told at once, and asked for at any router until it has ended; a next one goes on with it then", async () => {
    const { id, status, background } = await ask(later);
    expect([status, background]).toEqual(["queued", true]);
    for (const url of [scene.url, other.url]) await until(async () => (await statusAt(url, id)) === "completed");
    const { output, usage } = await get(`/v1/responses/${id}`);
    expect([output[0].content[0].text, usage.output_tokens]).toEqual(["hello", 6]);
    expect((await ask({ input: "and?", previous_response_id: id })).status).toBe("completed");
    expect((await get(`/v1/responses/${id}/input_items`)).data).toHaveLength(1);
    expect(worker.jobCount).toBe(2);
  });

  it("is streamed while it is computed and afterwards, from any event on and any router, with numbers without a gap", async () => {
    const all = eventsOf(await (await scene.post("/v1/responses", { model: "tiny", ...later, stream: true })).text());
    expect(all.map((event) => (JSON.parse(/data: (.*)/.exec(event)?.[1] ?? "") as Json).sequence_number)).toEqual(
      all.map((_, i) => i),
    );
    expect(all.slice(0, 3).map((event) => /event: (.*)/.exec(event)?.[1])).toEqual([
      "response.created",
      "response.queued",
      "response.in_progress",
    ]);
    const id = /"id":"(resp_[^"]+)"/.exec(all[0] ?? "")?.[1] ?? "";
    expect(await eventsAt(scene.url, id)).toEqual(all);
    expect(await eventsAt(other.url, id, "&starting_after=3")).toEqual(all.slice(4));
    stopAt(2);
    const { id: slow } = await ask(later);
    await until(async () => (await statusAt(scene.url, slow)) === "in_progress");
    const [here, there] = [eventsAt(scene.url, slow), eventsAt(other.url, slow)];
    expect((await scene.post(`/v1/responses/${slow}/cancel`, {})).status).toBe(200);
    expect(await there).toEqual(await here);
  });

  it("is ended by its client at any router, and then there is nothing to go on with", async () => {
    stopAt(2);
    const { id } = await ask(later);
    await until(async () => (await statusAt(other.url, id)) === "in_progress");
    const early = await scene.post("/v1/responses", { model: "tiny", input: "and?", previous_response_id: id });
    expect([early.status, ((await early.json()) as Json).error.param]).toEqual([400, "previous_response_id"]);
    const cancelled = await fetch(`${other.url}/v1/responses/${id}/cancel`, { method: "POST" });
    expect(((await cancelled.json()) as Json).status).toBe("cancelled");
    expect(await statusAt(scene.url, id)).toBe("cancelled");
    expect((await scene.post(`/v1/responses/${id}/cancel`, {})).status).toBe(200);
    await until(() => scene.worker.cancels.all.length > 0);
    stopAt(Number.POSITIVE_INFINITY);
    const whole = await ask({ input: "hi" });
    const refused = (await (await scene.post(`/v1/responses/${whole.id}/cancel`, {})).json()) as Json;
    expect(refused.error.message).toContain("only a response in the background");
  });

  it("whose router has gone is gone on with by the next one that is asked for it", async () => {
    stopAt(2);
    const { id } = await ask(later);
    await until(async () => (await statusAt(scene.url, id)) === "in_progress");
    stopAt(Number.POSITIVE_INFINITY);
    gone();
    await until(async () => (await statusAt(other.url, id)) === "completed");
    expect((await get(`/v1/responses/${id}`)).output[0].content[0].text).toBe("hello");
    expect(scene.cluster.request(at(scene.cluster.jobs.all, 1).payload).delivered[0]?.tokenIds).toHaveLength(2);
  });

  it.each([
    [{ ...later, store: false }, {}, "background"],
    [{ ...later, temperature: 3 }, {}, "temperature"],
    [later, { "idempotency-key": "k" }, "background"],
  ])("that cannot be is refused before anything is queued: %j %j", async (body, more, param) => {
    const headers = { "content-type": "application/json", ...more };
    const reply = await scene.post("/v1/responses", { model: "tiny", ...body }, { headers });
    expect([reply.status, ((await reply.json()) as Json).error.param]).toEqual([400, param]);
    expect(worker.jobCount).toBe(0);
  });
});
