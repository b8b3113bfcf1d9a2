import { ATTEMPT_STRIDE, type RequestEvent, routerId, type StepEntry } from "@drover/core";
import { kvGeometry } from "@drover/kv";
import fc from "fast-check";
import { expect, test } from "vitest";
import { drainFake, type FakeEngine, type FakeEngineOptions, fakeEngine, taskOfLength } from "./testing/fake-engine.ts";
import type { FakeAnswer } from "./testing/fake-runner.ts";

const geometry = kvGeometry(
  { isGlobalLayer: [false, false, false, true], chunkSize: 32, kvHeadCount: 1, headDim: 1 },
  "f32",
);
const kvBytesMax = 4000 * 4 * geometry.rowBytes;

const quiet = () => undefined;

const engineOf = (answer: FakeAnswer, options: Partial<FakeEngineOptions> = {}) =>
  fakeEngine({ geometry, kvBytesMax, answer, ...options });

/** The tokens that a router was sent, by request, checked to come in order. */
function tokensOf({ events }: Readonly<{ events: readonly RequestEvent[] }>): Record<string, number[]> {
  const out: Record<string, number[]> = {};
  for (const { requestId, event } of events) {
    if (event.kind !== "token") continue;
    const list = out[requestId] ?? [];
    out[requestId] = list;
    expect(event.index).toBe(list.length);
    list.push(event.tokenId);
  }
  return out;
}

/** A model whose next token is its place in the output, so that an order that is mixed up is seen. */
const drawn = (entry: StepEntry, from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ tokenId: from + i, logprobs: undefined, entry }));

const computed = (rowCount: number, tokens: ReturnType<typeof drawn>) =>
  ({ kind: "computed", rowCount, tokens, prompt: [], experts: new Uint16Array(0) }) as const;

const plain: FakeAnswer = (entry) =>
  computed(entry.tokenIds.length, entry.draw === undefined ? [] : drawn(entry, entry.draw.index, 1));

test("a step that commits fewer rows than it has computed changes no token: the others are computed again", async () => {
  const lengths = fc.array(
    fc.record({ prompt: fc.integer({ min: 1, max: 90 }), output: fc.integer({ min: 1, max: 12 }) }),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  await fc.assert(
    fc.asyncProperty(lengths, fc.integer({ min: 1, max: 9 }), async (requests, keep) => {
      let short = 0;
      const local = engineOf((entry) => {
        const { length } = entry.tokenIds;
        if (length <= keep) return plain(entry);
        short += 1;
        return computed(keep, []);
      });
      for (const [i, { prompt, output }] of requests.entries())
        local.engine.place(taskOfLength(`r${i}`, prompt, output));
      await drainFake(local, 2000);
      const expected = requests.map(({ output }, i) => [`r${i}`, Array.from({ length: output }, (_, at) => at)]);
      expect(tokensOf(local)).toEqual(Object.fromEntries(expected));
      expect(local.sequences.openCount).toBe(0);
      expect(short > 0).toBe(requests.some(({ prompt }) => prompt > keep));
    }),
    { numRuns: 30 },
  );
});

test("an entry may yield several tokens, which are all sent, and no more than were asked for", async () => {
  const rowCounts: number[] = [];
  const local = engineOf((entry) => {
    rowCounts.push(entry.tokenIds.length);
    return computed(entry.tokenIds.length, entry.draw === undefined ? [] : drawn(entry, entry.draw.index, 2));
  });
  local.engine.place(taskOfLength("even", 5, 6));
  local.engine.place(taskOfLength("odd", 7, 5));
  const steps = await drainFake(local, 100);
  expect(tokensOf(local)).toEqual({ even: [0, 1, 2, 3, 4, 5], odd: [0, 1, 2, 3, 4] });
  // Both are computed by the next step, beside each other.
  expect(rowCounts).toEqual([5, 7, 2, 2, 2, 2]);
  expect(steps).toBe(3);
});

test("of several tokens those behind a stop token are dropped", async () => {
  const local = engineOf((entry) => computed(entry.tokenIds.length, drawn(entry, entry.draw?.index ?? 0, 4)));
  const task = taskOfLength("stops", 3, 50);
  local.engine.place({ ...task, params: { ...task.params, stopTokenIds: [5] } });
  await drainFake(local, 100);
  expect(tokensOf(local)).toEqual({ stops: [0, 1, 2, 3, 4, 5] });
});

test("parked rows are computed again, beside others that go on, and change no token", async () => {
  let calls = 0;
  const local = engineOf((entry) => (++calls % 3 === 0 ? { kind: "parked" } : plain(entry)));
  for (let i = 0; i < 3; i++) local.engine.place(taskOfLength(`r${i}`, 20, 8));
  await drainFake(local, 200);
  for (const tokens of Object.values(tokensOf(local))) expect(tokens).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(local.sequences.kvBytesUsed).toBe(0);
});

test("it is told how long choices have waited for answers of other workers, once they go on", async () => {
  let left = 3;
  const local = engineOf((entry) => (entry.draw?.index === 1 && left-- > 0 ? { kind: "parked" } : plain(entry)), {
    cost: () => 10,
  });
  local.engine.place(taskOfLength("waits", 4, 4));
  await drainFake(local, 100);
  // Parked by the ends of three steps, and computed by the end of the fourth.
  expect(local.unparked).toEqual([[1, 30]]);
});

test("a request that other workers do not answer for too long fails, and may be tried again", async () => {
  const local = engineOf(() => ({ kind: "parked" }), { cost: () => 1000 });
  local.engine.place(taskOfLength("lost", 4, 4));
  for (let step = 0; step < 60 && local.engine.load().runningCount + local.engine.load().waitingCount > 0; step++)
    await local.engine.step();
  local.engine.flush();
  const last = local.events.at(-1)?.event;
  expect(last).toMatchObject({ kind: "failed", code: "unavailable", retryable: true, handedBack: false });
  expect(local.sequences.openCount).toBe(0);
});

test("a request that ends while its step runs keeps its KV until the step is over, and nothing of the step is sent", async () => {
  const open: number[] = [];
  let local: FakeEngine | undefined;
  const task = taskOfLength("gone", 4, 50);
  local = engineOf((entry) => {
    if (entry.draw?.index === 2) local?.engine.cancel(task.requestId, task.attempt);
    open.push(local?.sequences.openCount ?? 0);
    return plain(entry);
  });
  local.engine.place(task);
  for (let step = 0; step < 4; step++) await local.engine.step();
  expect(open).toEqual([1, 1, 1]);
  local.engine.flush();
  expect(tokensOf(local)).toEqual({ gone: [0, 1] });
  expect(local.sequences.openCount).toBe(0);
});

test("what a step has drawn is sent at once where steps take the thread, and while the next is computed where a device computes them", async () => {
  for (const [runsBeside, expected] of [
    [false, ["step", "0", "step", "1", "step", "2"]],
    [true, ["step", "step", "0", "step", "1", "2"]],
  ] as const) {
    const local = engineOf(plain);
    local.runner.runsBeside = runsBeside;
    const seen: string[] = [];
    const ended = new AbortController();
    local.runner.onSubmit = () => seen.push("step");
    const send = (events: readonly RequestEvent[]) => {
      for (const { event } of events) {
        if (event.kind === "token") seen.push(String(event.index));
        if (event.kind === "done") ended.abort();
      }
    };
    local.engine.attach(routerId("test"), { send, replaced: quiet }, []);
    // A request that is there keeps the start's calibration away.
    local.engine.place(taskOfLength("r", 3, 3));
    await local.engine.run(ended.signal);
    expect(seen).toEqual(expected);
  }
});

test("a router that asks after an attempt that ended while its stream broke hears so, and of one that was never here it hears nothing", async () => {
  const local = engineOf(plain);
  const { requestId, attempt } = taskOfLength("unheard", 3, 2);
  local.engine.place(taskOfLength("unheard", 3, 2));
  for (let step = 0; step < 3; step++) await local.engine.step();
  local.engine.flush();
  expect(local.events.at(-1)?.event.kind).toBe("done");
  const over = { kind: "failed", code: "unavailable", retryable: true, handedBack: false };
  const begun = { requestId, attempt, nextIndices: [1], nextPromptPosition: 0, started: true };
  const elsewhere = { ...begun, requestId: taskOfLength("elsewhere", 3, 2).requestId, started: false };
  // Of one whose beginning was lost too, its router knows the job's first attempt alone.
  for (const resume of [begun, { ...begun, nextIndices: [0], started: false }]) {
    const heard: RequestEvent[] = [];
    local.engine.attach(routerId("test"), { send: (events) => heard.push(...events), replaced: quiet }, [
      resume,
      elsewhere,
    ]);
    expect(heard).toMatchObject([{ requestId, attempt, event: over }]);
  }
});

test("a whole answer that a stream took which its router had given up is over for the next stream of the router", async () => {
  const local = engineOf(plain);
  const task = { ...taskOfLength("unattached", 3, 2), routerId: routerId("late") };
  local.engine.place(task);
  for (let step = 0; step < 3; step++) await local.engine.step();
  const { requestId, attempt } = task;
  const unbegun = { requestId, attempt, nextIndices: [0], nextPromptPosition: 0, started: false };
  const heard: RequestEvent[][] = [[], []];
  for (const events of heard)
    local.engine.attach(routerId("late"), { send: (sent) => events.push(...sent), replaced: quiet }, [unbegun]);
  expect(heard[0]?.map(({ event }) => event.kind)).toEqual(["started", "token", "token", "done"]);
  expect(heard[1]).toMatchObject([{ requestId, attempt, event: { kind: "failed", retryable: true } }]);
});

test("a router that asks after newer attempts than its greeting named hears which are over, once, and of those that run what they send", async () => {
  const local = engineOf(plain);
  const tasks = ["over", "runs"].map((name, i) => ({
    ...taskOfLength(name, 3, 2 + 50 * i),
    routerId: routerId("late"),
  }));
  for (const task of tasks) local.engine.place(task);
  for (let step = 0; step < 5; step++) await local.engine.step();
  const heard: RequestEvent[][] = [[], []];
  for (const events of heard)
    local.engine.attach(routerId("late"), { send: (sent) => events.push(...sent), replaced: quiet }, []);
  const [over, runs] = tasks.map(({ requestId }) => requestId);
  expect(heard[0]?.filter(({ requestId }) => requestId === over).at(-1)?.event.kind).toBe("done");
  expect(new Set(heard[1]?.map(({ requestId }) => requestId))).toEqual(new Set([runs]));
  const before = heard[1]?.length;
  local.engine.answer(
    routerId("late"),
    [...tasks, taskOfLength("elsewhere", 3, 2)].map(({ requestId, attempt }) => ({
      ...{ requestId, attempt, nextIndices: [0], nextPromptPosition: 0, started: false },
    })),
  );
  expect(heard[1]?.slice(before)).toMatchObject([{ requestId: over, event: { kind: "failed", retryable: true } }]);
});

test("a job that is handed over again is refused while an attempt of it runs, and one that its router added again takes its place", () => {
  const local = engineOf(plain);
  const task = taskOfLength("twice", 3, 50);
  expect(local.engine.place(task)).toBeUndefined();
  expect(local.engine.place({ ...task, attempt: task.attempt + 1 })?.code).toBe("cancelled");
  expect(local.engine.place({ ...task, attempt: task.attempt + ATTEMPT_STRIDE })).toBeUndefined();
  local.engine.flush();
  expect(local.events.map(({ event }) => event.kind)).toEqual(["started", "started"]);
});
