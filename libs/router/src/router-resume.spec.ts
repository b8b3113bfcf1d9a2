import { at, neverAborted } from "@drover/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readSegments } from "./keyed/answer-segments.ts";
import type { Router } from "./router.ts";
import { AnsweringWorker } from "./testing/answering-worker.ts";
import { eventsOf, idOf, plain, until } from "./testing/numbered-events.ts";
import { type Json, RouterScene } from "./testing/router-scene.ts";
import { startTestRouter } from "./testing/test-router.ts";
import { done, end } from "./testing/worker-events.ts";

let scene: RouterScene;
let other: { router: Router; url: string };
let worker: AnsweringWorker;
let texts: readonly string[] = [];
let keyCount = 0;

beforeEach(async () => {
  scene = new RouterScene();
  await scene.startCluster();
  await scene.startRouter({ requestsMax: 100 });
  const started = await startTestRouter(scene.cluster, { requestsMax: 100 });
  await started.ready;
  other = started;
  worker = new AnsweringWorker(scene.cluster, scene.worker, () => texts);
});
afterEach(async () => {
  await other.router.close();
  await scene.stop();
});

type Asked = Readonly<{ path: string; body: object; key: string; lastEventId?: string | undefined }>;

function post(url: string, { path, body, key, lastEventId }: Asked): Promise<Response> {
  return fetch(url + path, {
    method: "POST",
    body: JSON.stringify({ model: "tiny", ...body }),
    headers: {
      "content-type": "application/json",
      "idempotency-key": key,
      ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
    },
  });
}

/** All events of a stream. */
async function whole(asked: Asked, url = other.url): Promise<string[]> {
  const reply = await post(url, asked);
  expect(reply.status).toBe(200);
  return eventsOf(await reply.text());
}

/** A client of the first router, and what it has got so far. */
class Reader {
  readonly over: Promise<void>;
  text = "";

  constructor(asked: Asked, url = scene.url) {
    this.over = this.#read(post(url, asked));
    this.over.catch(() => undefined);
  }

  /** Whole events. */
  get events(): readonly string[] {
    return eventsOf(this.text).filter((event) => event.endsWith("\n\n"));
  }

  async #read(reply: Promise<Response>): Promise<void> {
    const { body } = await reply;
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) this.text += chunk;
  }
}

const nextKey = () => `key-${keyCount++}`;

/** Its routers are not heard of: each counts as gone for the other. */
const dieFor = () => {
  scene.cluster.ignoredKeys = /^keyed-router/;
  for (const key of scene.cluster.payloads.keys())
    if (key.startsWith("keyed-router")) scene.cluster.payloads.delete(key);
};

const messages = [{ role: "user", content: "hi" }];
const tool = { name: "f", parameters: { type: "object" } };
const call = '{"name": "f", "parameters": {"a": 1}}';
const streams: readonly (readonly [string, string, object, readonly string[]])[] = [
  ["a completion", "/v1/completions", { prompt: "hi" }, ["héllo"]],
  ["a chat with usage", "/v1/chat/completions", { messages, stream_options: { include_usage: true } }, ["hello"]],
  ["choices", "/v1/chat/completions", { messages, n: 2 }, ["one", "other"]],
  ["log-probabilities", "/v1/chat/completions", { messages, logprobs: true, top_logprobs: 2 }, ["abc"]],
  ["a stop string", "/v1/chat/completions", { messages, stop: ["ll"] }, ["hell"]],
  ["a tool's call", "/v1/chat/completions", { messages, tools: [{ type: "function", function: tool }] }, [call]],
  ["a response", "/v1/responses", { input: "hi" }, ["hello"]],
  ["a message", "/v1/messages", { messages, max_tokens: 20 }, ["hello"]],
];

/** Has the first router answer, up to so many tokens; resolves once they are kept. */
async function begin(asked: Asked, tokenCount: number): Promise<Reader> {
  worker.tokenCountMax = tokenCount;
  const jobCount = worker.jobCount;
  const reader = new Reader(asked);
  await until(() => worker.jobCount > jobCount);
  worker.tokenCountMax = Number.POSITIVE_INFINITY;
  await until(async () => (await keptTokenCount(scene.cluster.jobs.all.length - 1)) === tokenCount);
  return reader;
}

/** Tokens of a job's request that are in the store. */
async function keptTokenCount(job: number): Promise<number> {
  const { requestId: id } = at(scene.cluster.jobs.all, job);
  const key = [...scene.cluster.payloads.keys()].find((one) => one.includes(id));
  if (key === undefined) return 0;
  const { delivered } = await readSegments(scene.cluster, key.slice(0, key.indexOf(`/${id}`)), { id }, neverAborted);
  return delivered.length;
}

it.each(streams)("%s that is cut after any token is the uncut one, resumed at another router", async (...of) => {
  const [, path, more, said] = of;
  texts = said;
  dieFor();
  const asked = { path, body: { ...more, stream: true } };
  const uncut = await whole({ ...asked, key: nextKey() }, scene.url);
  // Without the end's own, and what a stop string ends.
  const tokenCount = said.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);
  for (let cut = 0; cut < tokenCount; cut++) {
    const key = nextKey();
    const reader = await begin({ ...asked, key }, cut);
    // What is kept is on its way to the client; however much of it has come, the rest is right.
    if (cut === tokenCount - 1) await until(() => reader.events.length > 0);
    const got = reader.events;
    const rest = await whole({ ...asked, key, lastEventId: idOf(got.at(-1)) });
    expect(plain([...got, ...rest].join(""))).toBe(plain(uncut.join("")));
    expect(await whole({ ...asked, key })).toEqual([...got, ...rest]);
  }
});

const asked = (key: string): Asked => ({ path: "/v1/completions", body: { prompt: "hi", stream: true }, key });

it("a router that wakes once another one has its request ends its client's stream by an error, and writes no further event", async () => {
  texts = ["hello"];
  dieFor();
  const key = nextKey();
  const sleeper = await begin(asked(key), 2);
  const { routerId, requestId } = scene.cluster.request(at(scene.cluster.jobs.all, 0).payload);
  await until(() => sleeper.events.length === 2);
  const rest = await whole({ ...asked(key), lastEventId: idOf(sleeper.events.at(-1)) });
  const token = { choice: 0, index: 2, tokenId: 120 };
  scene.worker.sendTo(routerId, requestId, 0, { case: "token", value: token });
  await expect(sleeper.over).rejects.toThrow();
  expect(sleeper.events).toHaveLength(2);
  expect(await whole(asked(key))).toEqual([...sleeper.events, ...rest]);
  expect(await whole(asked(key), scene.url)).toEqual([...sleeper.events, ...rest]);
  expect(await scene.metrics()).toMatch(/drover_router_keyed_resumed_total\{[^}]*\} 0/);
});

it("of two routers that are asked for what a third one left, one goes on with it, and both give it", async () => {
  texts = ["hello"];
  dieFor();
  const key = nextKey();
  const left = await begin(asked(key), 2);
  const third = await startTestRouter(scene.cluster, {});
  await third.ready;
  const jobCount = worker.jobCount;
  const next = { ...asked(key), lastEventId: idOf(left.events.at(-1)) };
  scene.cluster.ignoredKeys = new RegExp(scene.cluster.request(at(scene.cluster.jobs.all, 0).payload).routerId);
  try {
    const [one, two] = await Promise.all([other.url, third.url].map((url) => whole(next, url)));
    expect(one).toEqual(two);
    expect([...left.events, ...(one ?? [])]).toEqual(await whole(asked(key)));
    expect(worker.jobCount).toBe(jobCount + 1);
  } finally {
    await third.router.close();
  }
});

/** Has the worker of the first router say one more letter, or the last word. */
function say(index: number, letter?: string): void {
  const { routerId, requestId } = scene.cluster.request(at(scene.cluster.jobs.all, 0).payload);
  const send = (event: Parameters<typeof scene.worker.sendTo>[3]) => scene.worker.sendTo(routerId, requestId, 0, event);
  const tokenId = letter?.charCodeAt(0);
  send(tokenId === undefined ? end(index) : { case: "token", value: { choice: 0, index, tokenId, logprob: -1 } });
  if (tokenId === undefined) send(done);
}

it("a router gives what another one computes while that one lives, event by event, and the end of it", async () => {
  texts = ["he"];
  const key = nextKey();
  const first = await begin(asked(key), 1);
  const second = new Reader(asked(key), other.url);
  await until(() => second.events.length === 1);
  say(1, "e");
  await until(() => second.events.length === 2);
  const third = new Reader({ ...asked(key), lastEventId: idOf(second.events.at(0)) }, other.url);
  await until(() => third.events.length === 1);
  say(2);
  await Promise.all([first.over, second.over, third.over]);
  expect(second.events).toEqual(first.events);
  expect(third.events).toEqual(first.events.slice(1));
  expect(worker.jobCount).toBe(1);
  expect(scene.worker.cancels.all).toEqual([]);
});

it("a router that gives what another one computes goes on with it when that one goes: no event is lost, and none comes twice", async () => {
  texts = ["hello"];
  const key = nextKey();
  const first = await begin(asked(key), 2);
  const second = new Reader(asked(key), other.url);
  await until(() => second.events.length === 2);
  dieFor();
  await second.over;
  expect(second.events.map(idOf)).toEqual(second.events.map((_, i) => String(i)));
  expect(second.events.slice(0, 2)).toEqual(first.events.slice(0, 2));
  expect(second.events).toEqual(await whole(asked(key)));
  expect(worker.jobCount).toBe(2);
});

it("what a full store did not take of a stream comes at another router with the whole answer, each event once", async () => {
  texts = ["he"];
  const key = nextKey();
  const first = await begin(asked(key), 1);
  const second = new Reader(asked(key), other.url);
  await until(() => second.events.length === 1);
  scene.cluster.refusedKeys = /\/\d+$/;
  say(1, "e");
  await until(() => first.events.length === 2);
  expect(idOf(first.events.at(1))).toMatch(/u1$/);
  say(2);
  await Promise.all([first.over, second.over]);
  expect(second.events).toEqual(first.events);
});

it("an answer without a stream is waited for at any router", async () => {
  texts = ["he"];
  const asked_ = { ...asked(nextKey()), body: { prompt: "hi", logprobs: 1 } };
  const first = await begin(asked_, 1);
  const second = post(other.url, asked_);
  say(1, "e");
  say(2);
  await first.over;
  expect(await (await second).text()).toBe(first.text);
  expect(worker.jobCount).toBe(1);
});

it("a key is no other request's at any router, and of one that nobody has there is no rest", async () => {
  texts = ["hello"];
  dieFor();
  const key = nextKey();
  const left = await begin(asked(key), 2);
  const other_ = { ...asked(key), body: { prompt: "ho", stream: true }, lastEventId: idOf(left.events.at(-1)) };
  expect((await post(other.url, other_)).status).toBe(422);
  const unknown = await post(other.url, { ...asked(nextKey()), lastEventId: "0" });
  expect([unknown.status, ((await unknown.json()) as Json).error.code]).toEqual([404, "not_found"]);
});

it("a request without a stream goes on with what was computed of it", async () => {
  texts = ["hello"];
  dieFor();
  const whole_ = { ...asked(nextKey()), body: { prompt: "hi", logprobs: 1 } };
  await begin(whole_, 3);
  const { choices, usage } = (await (await post(other.url, whole_)).json()) as Json;
  expect([choices[0].text, usage.completion_tokens]).toEqual(["hello", 6]);
  const job = scene.cluster.request(at(scene.cluster.jobs.all, 1).payload);
  expect(job.delivered.map(({ tokenIds }) => tokenIds.length)).toEqual([3]);
});

it("a stream whose store has gone goes on, is counted, and nobody else gives the rest of it", async () => {
  texts = ["hello"];
  const key = nextKey();
  const reader = await begin(asked(key), 2);
  await until(() => reader.events.length === 2);
  const { routerId, requestId } = scene.cluster.request(at(scene.cluster.jobs.all, 0).payload);
  // As a Redis without a disk does that was started again.
  scene.cluster.payloads.clear();
  scene.worker.sendTo(routerId, requestId, 0, { case: "token", value: { choice: 0, index: 2, tokenId: 108 } });
  await until(() => reader.events.length === 3);
  const last = idOf(reader.events.at(-1));
  expect(last).toMatch(/u1$/);
  expect(await scene.metrics()).toMatch(/keyed_unkept_total\{[^}]*reason="forgotten"[^}]*\} 1/);
  dieFor();
  expect((await post(other.url, { ...asked(key), lastEventId: last })).status).toBe(404);
  // Who has nothing of it gets an answer of its own.
  expect((await whole(asked(key))).length).toBeGreaterThan(3);
});

it("a router that ends leaves its keyed streams to the next one, at once", async () => {
  texts = ["hello"];
  const key = nextKey();
  const reader = await begin(asked(key), 2);
  await scene.router?.close();
  await reader.over.catch(() => undefined);
  const rest = await whole({ ...asked(key), lastEventId: idOf(reader.events.at(-1)) });
  expect([...reader.events, ...rest]).toEqual(await whole(asked(key)));
});
