import { fileURLToPath } from "node:url";
import { loadModelConfig, openCheckpoint } from "@drover/checkpoint";
import {
  DroverError,
  greedyParams,
  modelId,
  neverAborted,
  noTracer,
  requestId,
  routerId,
  silentLogger,
  systemClock,
  workerId,
} from "@drover/core";
import type { ExpertPeer } from "@drover/exchange";
import type { ExpertMap } from "@drover/fleet";
import { openWeights } from "@drover/onnx";
import { AttentionWorker } from "@drover/proto";
import { createServer, fromServiceError, listen, RpcClient } from "@drover/rpc";
import { createMetrics } from "@drover/telemetry";
import {
  generationRequestToWire,
  placeReplyFromWire,
  placeRequestToWire,
  type RouterMessage,
  routerMessageToWire,
  type WorkerMessage,
  workerMessageFromWire,
} from "@drover/wire";
import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, expect, test } from "vitest";
import type { RoleContext } from "../../role-context.ts";
import { FakeLink } from "../../testing/fake-role.ts";
import { attentionParts } from "./attention-parts.ts";
import { AttentionRole } from "./attention-role.ts";

const directory = fileURLToPath(new URL("../../../../../models/nano", import.meta.url));
const config = await loadModelConfig(directory);
const checkpoint = await openCheckpoint(directory);
const { weights, fingerprint } = await openWeights(checkpoint, config, null, silentLogger, neverAborted);
afterAll(() => checkpoint[Symbol.asyncDispose]());

/** Experts of this process whose every answer is 0. */
const experts: ExpertPeer = { workerId: "w", connected: true, isHere: true, call: async () => true };

const model = modelId("nano");
const everyone = Array.from({ length: config.expertCount }, () => [workerId("w")]);
const map = (epoch: bigint): ExpertMap => ({
  modelId: model,
  epoch,
  complete: true,
  holders: [{ workerId: workerId("w"), incarnation: "1", address: "127.0.0.1:1", draining: false }],
  experts: new Map(config.moeLayers.map((layer) => [layer, everyone])),
});
const lead = (leaderEpoch: bigint) => ({ kind: "accepted", leaderEpoch, schedulerId: "s", heartbeatMs: 1000 }) as const;

/** Loads and steps take as long as the machine needs. */
const eventually = <T>(look: () => T) => expect.poll(look);

/** Of a message to a router: what it is, or what its events are. */
const kindsOf = (message: WorkerMessage | undefined): string[] =>
  message?.kind === "step"
    ? [...message.events, ...message.ends].map(({ event }) => event.kind)
    : [message?.kind ?? "unknown"];

/** A role that is reached over gRPC, and a scheduler that places requests there. */
async function scene() {
  await using held = new AsyncDisposableStack();
  const events: string[] = [];
  const ended = new AbortController();
  const refusing = new AbortController();
  const options = {
    ...{ workerId: "w", modelName: model, prefixCache: "on", prefillChunk: 16 },
    ...{ stepMs: 50, threads: 1, detachGrace: 60_000, stripeAbove: undefined, progress: () => undefined },
    ...{ metrics: createMetrics({ process: "worker" }), tracer: noTracer, logger: silentLogger },
    resources: held,
    model: directory,
    ending: { asked: refusing.signal, refusing: refusing.signal, over: ended.signal },
  };
  const local = { peer: experts, areWhole: false, card: undefined, bytesMax: 0, countRows: () => undefined };
  // What the role does not ask for is left out.
  const context = {
    ...{ options, incarnation: "1", model: { config, checkpoint, weights, fingerprint } },
    ...{ device: { kind: "cpu" }, kv: { dtype: "f32", bytesMax: 2 ** 26 } },
    ...{ link: new FakeLink(events), ended: ended.signal, clock: systemClock },
  } as unknown as RoleContext;
  const role = held.use(
    new AttentionRole(context, await attentionParts(context, { experts: local, features: undefined })),
  );
  const server = createServer();
  held.defer(() => server.forceShutdown());
  for (const service of role.services) server.addService(...service);
  const client = held.use(new RpcClient(`127.0.0.1:${await listen(server, "127.0.0.1:0")}`));
  const place = async (name: string, leaderEpoch: bigint) => {
    const payload = generationRequestToWire({
      ...{ requestId: requestId(name), modelId: model, routerId: routerId("r"), images: [], deadlineMs: 2 ** 50 },
      ...{ promptTokenIds: Uint32Array.of(1, 2, 3), blockHashes: new Uint8Array(), params: greedyParams(2000) },
      delivered: [{ tokenIds: [], finished: false }],
    });
    const request = placeRequestToWire({ leaderEpoch, attempt: 1, payload });
    return placeReplyFromWire(await client.unary(AttentionWorker.method.place, request, neverAborted));
  };
  /** The router's stream, which has greeted, and what comes of it. */
  const tokens = () => {
    const call = client.bidiStream(AttentionWorker.method.tokens);
    const heard: string[] = [];
    call.on("data", (data) => heard.push(...kindsOf(workerMessageFromWire(data))));
    call.on("error", (error: ServiceError) => heard.push(fromServiceError(error).code));
    const hello = { routerId: routerId("r"), modelId: model, resumes: [], tokenColumns: true };
    const say = (message: RouterMessage) => call.write(routerMessageToWire(message));
    say({ kind: "hello", ...hello });
    return { heard, say, cancel: () => call.cancel() };
  };
  const parts = held.move();
  const end = () => ended.abort(new DroverError("cancelled", "the worker has ended"));
  return { role, events, refusing, place, tokens, end, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

test("a worker of attention is ready once every expert is reached, and says so at once; then it measures its steps", async () => {
  await using it = await scene();
  expect([it.role.status().ready, it.role.unready()]).toEqual([
    false,
    "not every expert has a holder that can be reached",
  ]);
  it.role.obey(lead(1n));
  it.role.obey({ kind: "expert_map", map: map(1n) });
  await it.role.ready;
  expect([it.role.status().ready, it.events, it.role.unready()]).toEqual([
    true,
    ["status"],
    "its steps are being measured",
  ]);
  const running = it.role.run();
  await eventually(() => it.role.unready()).toBeNull();
  it.end();
  await running;
});

test("a new leader's epochs begin anew: its first map is used, however small its number", async () => {
  await using it = await scene();
  it.role.obey(lead(1n));
  it.role.obey({ kind: "expert_map", map: map(9n) });
  await it.role.ready;
  it.role.obey(lead(1n));
  expect(it.role.status().ready).toBe(true);
  it.role.obey(lead(2n));
  expect(it.role.status().ready).toBe(false);
  it.role.obey({ kind: "expert_map", map: map(3n) });
  await eventually(() => it.role.status().ready).toBe(true);
});

test("a request is taken from the leader alone, and none once nothing new is taken", async () => {
  await using it = await scene();
  it.role.obey(lead(5n));
  expect(await it.place("early", 4n)).toMatchObject({ code: "stale_epoch" });
  expect(await it.place("now", 5n)).toBeUndefined();
  it.refusing.abort(new DroverError("unavailable", "the worker is asked to end"));
  expect(await it.place("late", 5n)).toMatchObject({ code: "unavailable" });
  expect(it.role.status()).toMatchObject({ runningCount: 0, waitingCount: 1 });
});

test("what a worker has not begun goes back when it is to drain, and what it has begun when its time is over", async () => {
  await using it = await scene();
  it.role.obey(lead(1n));
  expect(it.role.unfinished.isBusy()).toBe(false);
  expect(await it.place("waiting", 1n)).toBeUndefined();
  expect(it.role.unfinished.isBusy()).toBe(true);
  it.role.obey({ kind: "set_drain", wanted: false });
  expect(it.role.status().waitingCount).toBe(1);
  it.role.obey({ kind: "set_drain", wanted: true });
  expect([it.role.status().waitingCount, it.role.unfinished.isBusy()]).toEqual([0, false]);

  it.role.obey({ kind: "expert_map", map: map(1n) });
  await it.role.ready;
  const running = it.role.run();
  expect(await it.place("running", 1n)).toBeUndefined();
  await eventually(() => it.role.status().runningCount).toBe(1);
  it.role.unfinished.begin?.();
  expect(it.role.unfinished.isBusy()).toBe(true);
  expect(it.role.unfinished.handBack?.()).toBe(1);
  await eventually(() => it.role.unfinished.isBusy()).toBe(false);
  it.end();
  await running;
});

test("of two streams of a router the one that greeted first hears that it is over, so that its router is never left waiting on it", async () => {
  await using it = await scene();
  it.role.obey(lead(1n));
  const first = it.tokens();
  await eventually(() => first.heard).toEqual(["hello"]);
  const second = it.tokens();
  await eventually(() => first.heard).toEqual(["hello", "unavailable"]);
  await eventually(() => second.heard).toEqual(["hello"]);
  expect(await it.place("now", 1n)).toBeUndefined();
  it.role.obey({ kind: "set_drain", wanted: true });
  await eventually(() => second.heard).toEqual(["hello", "started", "failed"]);
  second.cancel();
});

test("a router that asks after a request that its greeting did not name hears that it is over", async () => {
  await using it = await scene();
  it.role.obey(lead(1n));
  const first = it.tokens();
  await eventually(() => first.heard).toEqual(["hello"]);
  expect(await it.place("over", 1n)).toBeUndefined();
  it.role.obey({ kind: "set_drain", wanted: true });
  await eventually(() => first.heard).toEqual(["hello", "started", "failed"]);
  const resume = { requestId: requestId("over"), attempt: 0, nextIndices: [0], nextPromptPosition: 0, started: false };
  const second = it.tokens();
  second.say({ kind: "asks", resumes: [{ ...resume, requestId: requestId("elsewhere") }, resume] });
  await eventually(() => second.heard).toEqual(["hello", "failed"]);
  second.cancel();
});
