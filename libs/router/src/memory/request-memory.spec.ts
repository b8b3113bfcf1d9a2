import type { GenerationQuery, InferenceRequest } from "@drover/openai";
import { expect, it } from "vitest";
import { ANSWER_STEP_BYTES, ANSWER_TOKENS_ASKED, ANSWER_TOKENS_UNASKED, UNREAD_SHARE_BYTES } from "../limits.ts";
import { MEMORY_KINDS } from "./memory-budget.ts";
import { type MemoryLimits, memoryBudgets } from "./memory-budgets.ts";
import { answerBytes, answerCost, promptBytes, promptFactBytes } from "./request-cost.ts";
import { RequestMemory } from "./request-memory.ts";

const requestOf = (sampling: Partial<InferenceRequest["sampling"]> = {}, tokenCount = 10) =>
  ({
    promptTokenIds: new Uint32Array(tokenCount),
    stop: [],
    sampling: {
      ...{ n: 1, maxTokens: 1_000_000, topLogprobs: -1, promptTopLogprobs: -1 },
      ...{ bannedSequences: [], allowedTokenIds: [] },
      ...sampling,
    },
  }) as unknown as InferenceRequest;

const queryOf = (asked: number | undefined, stream = false) =>
  ({
    budget: { asked, field: "max_tokens", unasked: 1_000_000 },
    reply: { stream },
    prompt: { field: "prompt" },
  }) as unknown as GenerationQuery;

const budgetsOf = (limits: Partial<MemoryLimits>) => memoryBudgets(limits);
const countsOf = (budgets: ReturnType<typeof memoryBudgets>) => MEMORY_KINDS.map((kind) => budgets[kind].byteCount);

it("whatever a request keeps is given back at its end, once, and nothing is counted behind it", () => {
  const budgets = budgetsOf({});
  const memory = new RequestMemory(budgets);
  memory.keep(requestOf(), queryOf(undefined));
  memory.hold("images", 1000);
  memory.take(5 * UNREAD_SHARE_BYTES);
  for (const kind of ["images", "prompts", "answers", "unread"] as const) expect(memory.of(kind)).toBeGreaterThan(0);
  memory[Symbol.dispose]();
  memory[Symbol.dispose]();
  memory.hold("images", 1000);
  memory.take(1000);
  memory.give(1000);
  expect(memory.takesToken()).toBe(true);
  expect(countsOf(budgets)).toEqual([0, 0, 0, 0, 0]);
});

it("what is detached outlives its request, and is given back once", () => {
  const budgets = budgetsOf({});
  const memory = new RequestMemory(budgets);
  memory.keep(requestOf(), queryOf(100));
  const [prompts, answers] = [memory.of("prompts"), memory.of("answers")];
  const kept = memory.detach("prompts", "answers");
  memory[Symbol.dispose]();
  expect([budgets.prompts.byteCount, budgets.answers.byteCount]).toEqual([prompts, answers]);
  kept[Symbol.dispose]();
  kept[Symbol.dispose]();
  expect(countsOf(budgets)).toEqual([0, 0, 0, 0, 0]);
});

it("a request whose prompt or answer has no room is refused by what is full, and leaves nothing at its end", () => {
  const asked = queryOf(100);
  const least = answerBytes(requestOf({ maxTokens: 100 }), asked);
  for (const [limits, sentence] of [
    [{ prompts: promptBytes(requestOf()) * 1.5 }, "too many prompts' tokens"],
    [{ answers: least * 1.5 }, "too much of the answers that it is gathering"],
  ] as const) {
    const budgets = budgetsOf(limits);
    const [first, second] = [new RequestMemory(budgets), new RequestMemory(budgets)];
    first.keep(requestOf({ maxTokens: 100 }), asked);
    expect(() => second.keep(requestOf({ maxTokens: 100 }), asked)).toThrow(sentence);
    for (const memory of [second, first]) memory[Symbol.dispose]();
    expect(countsOf(budgets)).toEqual([0, 0, 0, 0, 0]);
  }
});

it.each([
  ["prompts", { prompts: promptBytes(requestOf()) - 1 }, 100, "prompt"],
  ["answers", { answers: 1000 }, 100, "max_tokens"],
] as const)(
  "a request that alone has more %s than the whole budget is not told to come back: nothing it could wait for makes room",
  (_, limits, asked, field) => {
    const budgets = budgetsOf(limits);
    const memory = new RequestMemory(budgets);
    const refused = { code: "payload_too_large", field, retryAfterMs: undefined };
    expect(() => memory.keep(requestOf({ maxTokens: 100 }), queryOf(asked))).toThrow(expect.objectContaining(refused));
    memory[Symbol.dispose]();
    expect(countsOf(budgets)).toEqual([0, 0, 0, 0, 0]);
  },
);

it("prompts of one request that fit each and not together are as one that is too large", () => {
  const budgets = budgetsOf({ prompts: promptBytes(requestOf()) * 1.5 });
  using memory = new RequestMemory(budgets);
  memory.keep(requestOf(), queryOf(10));
  expect(() => memory.keep(requestOf(), queryOf(10))).toThrow(expect.objectContaining({ code: "payload_too_large" }));
});

it("many choices whose length nobody says get in, however much they would take at most", () => {
  const request = requestOf({ n: 128, topLogprobs: 20 });
  const budgets = budgetsOf({});
  expect(answerBytes(request, queryOf(undefined))).toBeGreaterThan(budgets.answers.bytesMax);
  using memory = new RequestMemory(budgets);
  memory.keep(request, queryOf(undefined));
  expect(memory.takesToken()).toBe(true);
});

it("an answer that was asked for by its length has room for all of it, and for no more where the router is full", () => {
  const request = requestOf({ maxTokens: 100, n: 2 });
  const query = queryOf(100);
  const budgets = budgetsOf({ answers: answerBytes(request, query) });
  using memory = new RequestMemory(budgets);
  memory.keep(request, query);
  // Twice the text that is reckoned with leaves room for fewer, and none leaves room for more.
  for (let token = 0; token < 200; token++) {
    expect(memory.takesToken()).toBe(true);
    memory.addFacts(8, 0);
  }
  expect(memory.takesToken()).toBe(false);
});

it("an answer whose length nobody says has its first tokens for certain, then what room there is", () => {
  const request = requestOf();
  const query = queryOf(undefined);
  const { tokenBytes } = answerCost(request, query);
  const reserved = answerBytes(request, query);
  expect(reserved).toBeLessThan(answerBytes(request, queryOf(1_000_000)));
  const budgets = budgetsOf({ answers: reserved + ANSWER_STEP_BYTES + tokenBytes });
  using memory = new RequestMemory(budgets);
  memory.keep(request, query);
  let count = 0;
  while (memory.takesToken()) count++;
  expect(count).toBe(Math.floor((reserved + ANSWER_STEP_BYTES + tokenBytes) / tokenBytes));
  expect(count).toBeGreaterThan(ANSWER_TOKENS_UNASKED);
  expect(budgets.answers.byteCount).toBeLessThanOrEqual(budgets.answers.bytesMax);
});

it("an answer that may be very long has a part of it for certain, so that many fit beside each other, and grows as there is room", () => {
  const long = requestOf({ maxTokens: 131_072 });
  const reserved = answerBytes(long, queryOf(131_072));
  expect(reserved).toBe(answerBytes(requestOf({ maxTokens: ANSWER_TOKENS_ASKED }), queryOf(ANSWER_TOKENS_ASKED)));
  const budgets = budgetsOf({});
  using held = new DisposableStack();
  for (let i = 0; i < 256; i++) held.use(new RequestMemory(budgets)).keep(long, queryOf(131_072));
  using memory = new RequestMemory(budgetsOf({ answers: 2 * reserved }));
  memory.keep(long, queryOf(131_072));
  for (let token = 0; token < ANSWER_TOKENS_ASKED + 1000; token++) expect(memory.takesToken()).toBe(true);
});

it("log-probabilities are reserved for each token and alternative, of the prompt too, and a stream reserves its ids alone", () => {
  const plain = answerBytes(requestOf({ maxTokens: 10 }), queryOf(10));
  const told = answerBytes(requestOf({ maxTokens: 10, topLogprobs: 20 }), queryOf(10));
  const streamed = answerBytes(requestOf({ maxTokens: 10, topLogprobs: 20 }), queryOf(10, true));
  expect(told).toBeGreaterThan(plain * 10);
  expect(streamed).toBeLessThan(plain);
  expect(promptFactBytes(requestOf({}, 50))).toBe(0);
  expect(promptFactBytes(requestOf({ promptTopLogprobs: 20 }, 50))).toBe((told - plain) * 5);
});

it("a reader has its share however full the router is, and more only while there is room", () => {
  const budgets = budgetsOf({ unread: 2 * UNREAD_SHARE_BYTES });
  using hungry = new RequestMemory(budgets);
  expect(hungry.take(2 * UNREAD_SHARE_BYTES)).toBe(true);
  expect(hungry.take(1)).toBe(false);
  using small = new RequestMemory(budgets);
  expect(small.take(UNREAD_SHARE_BYTES)).toBe(true);
  expect(small.take(1)).toBe(false);
  hungry.give(2 * UNREAD_SHARE_BYTES);
  expect(small.take(1)).toBe(true);
});

it("a piece that is larger than all of what may be unread is taken where nothing else is, and its reader alone is waited for", () => {
  const budgets = budgetsOf({ unread: 4 * UNREAD_SHARE_BYTES });
  using first = new RequestMemory(budgets);
  using second = new RequestMemory(budgets);
  expect(first.take(5 * UNREAD_SHARE_BYTES)).toBe(true);
  expect(first.take(1)).toBe(false);
  expect(second.take(2 * UNREAD_SHARE_BYTES)).toBe(false);
  first.give(5 * UNREAD_SHARE_BYTES);
  expect(second.take(2 * UNREAD_SHARE_BYTES)).toBe(true);
  expect(first.take(5 * UNREAD_SHARE_BYTES)).toBe(false);
});
