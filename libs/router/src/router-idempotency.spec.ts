import { keyDigest } from "@drover/tenants";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Router } from "./router.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { startTestRouter } from "./testing/test-router.ts";
import { done, end, started } from "./testing/worker-events.ts";

let scene: RouterScene;
let other: Router | undefined;
beforeEach(async () => {
  scene = new RouterScene();
  await scene.startCluster();
});
afterEach(async () => {
  await other?.close();
  other = undefined;
  await scene.stop();
});

const body = { model: "tiny", prompt: "hi", max_tokens: 3 };
const headersOf = (key: string, more: Record<string, string> = {}) => ({
  headers: { "content-type": "application/json", "idempotency-key": key, ...more },
});
const post = (key: string, sent: object = body, more: Record<string, string> = {}) =>
  scene.post("/v1/completions", sent, headersOf(key, more));

/** Has the worker answer a job with a letter. */
async function answer(index: number): Promise<void> {
  const { requestId } = await scene.cluster.jobs.at(index);
  scene.worker.send(requestId, 0, started(0));
  scene.worker.sendText(requestId, 0, "a");
  scene.worker.send(requestId, 0, end(1), done);
}

it("a key that is sent again with the same body has the same answer, computed once, also while it is computed and from another router", async () => {
  await scene.startRouter();
  const [first, second] = [post("one"), post("one")];
  await answer(0);
  const text = await (await first).text();
  expect((JSON.parse(text) as Json).choices[0].text).toBe("a");
  expect(await (await second).text()).toBe(text);
  expect(await (await post("one")).text()).toBe(text);
  const started_ = await startTestRouter(scene.cluster, {});
  other = started_.router;
  await started_.ready;
  const init = { method: "POST", body: JSON.stringify(body), ...headersOf("one") };
  expect(await (await fetch(`${started_.url}/v1/completions`, init)).text()).toBe(text);
  expect(scene.cluster.jobs.all).toHaveLength(1);
});

it("a key of another body is refused by name, and one that is no key", async () => {
  await scene.startRouter();
  const first = post("one");
  await answer(0);
  await (await first).text();
  const reused = await post("one", { ...body, max_tokens: 2 });
  expect([reused.status, ((await reused.json()) as Json).error.code]).toEqual([422, "idempotency_key_reused"]);
  expect((await post("x".repeat(256))).status).toBe(400);
  expect(scene.cluster.jobs.all).toHaveLength(1);
});

it("a tenant's key is its own", async () => {
  const line = (name: string) => JSON.stringify({ name, key_sha256: keyDigest(`key-${name}`) });
  await scene.startRouter({ keys: [line("acme"), line("other")] });
  const texts: string[] = [];
  for (const [index, name] of ["acme", "other"].entries()) {
    const reply = post("one", body, { authorization: `Bearer key-${name}` });
    await answer(index);
    texts.push(((await (await reply).json()) as Json).id);
  }
  expect(new Set(texts).size).toBe(2);
});

it("a request that failed may be tried again with its key", async () => {
  await scene.startRouter();
  scene.cluster.addError = new Error("away");
  expect((await post("one")).status).toBeGreaterThanOrEqual(500);
  scene.cluster.addError = undefined;
  const again = post("one");
  await answer(0);
  expect((await again).status).toBe(200);
});

it("a stream with a key is numbered, goes on when its client has gone, and is taken up behind the last event that it had", async () => {
  await scene.startRouter();
  const stream = { ...body, stream: true };
  const leaving = new AbortController();
  const reply = scene.post("/v1/completions", stream, { ...headersOf("one"), signal: leaving.signal });
  const { requestId } = await scene.cluster.jobs.at(0);
  scene.worker.send(requestId, 0, started(0));
  scene.worker.sendText(requestId, 0, "a");
  const { value } = (await (await reply).body?.getReader().read()) ?? {};
  expect(new TextDecoder().decode(value)).toMatch(/^id: 0\ndata: .*"a"/);
  leaving.abort();
  scene.worker.sendText(requestId, 0, "b", 1);
  scene.worker.send(requestId, 0, end(2), done);
  const rest = await (await post("one", stream, { "last-event-id": "0" })).text();
  expect(rest).toMatch(/^id: 1\ndata: .*"b"/);
  expect(rest).toMatch(/\nid: \d+\ndata: \[DONE\]\n\n$/);
  const whole = await (await post("one", stream)).text();
  expect(whole.endsWith(rest)).toBe(true);
  expect(whole).toMatch(/^id: 0\n/);
  expect((await post("one", stream, { "last-event-id": "x" })).status).toBe(400);
  expect(scene.worker.cancels.all).toEqual([]);
  expect(scene.cluster.jobs.all).toHaveLength(1);
});
