import { join } from "node:path";
import { BlockHashes, servedModelSeed } from "@drover/kv";
import { drain, greedyTask, type LocalEngine, openLocalEngine } from "@drover/testkit";
import { expect, test } from "vitest";

const model = join(import.meta.dirname, "../../models/nano");
const ids = (length: number, seed: number) => Array.from({ length }, (_, i) => (i * 7919 + seed * 104_729) % 3000);
const common = ids(700, 1);

type Answer = Readonly<{ tokens: number[]; logprobs: number[]; cached: number }>;

/** Generates 12 tokens and tells what was reused. */
async function ask(local: LocalEngine, title: string, prompt: readonly number[], n = 1): Promise<Answer[]> {
  const name = title.replaceAll(" ", "-");
  const task = greedyTask(name, prompt, 12);
  const delivered = Array.from({ length: n }, () => ({ tokenIds: [], finished: false }));
  const params = { ...task.params, n, topLogprobs: 0 };
  expect(local.engine.place({ ...task, delivered, params })).toBeUndefined();
  await drain(local);
  const answers: Answer[] = Array.from({ length: n }, () => ({ tokens: [], logprobs: [], cached: 0 }));
  let cached = -1;
  for (const { requestId, event } of local.events) {
    if (requestId !== name) continue;
    if (event.kind === "done") cached = event.cachedTokenCount;
    if (event.kind !== "token") continue;
    answers[event.choice]?.tokens.push(event.tokenId);
    answers[event.choice]?.logprobs.push(event.logprob);
  }
  return answers.map((answer) => ({ ...answer, cached }));
}

const rowsComputed = (local: LocalEngine) => local.steps.reduce((sum, { rowCount }) => sum + rowCount, 0);

function expectSame(found: Answer | undefined, expected: Answer | undefined): void {
  expect(found?.tokens).toEqual(expected?.tokens);
  for (const [i, logprob] of (expected?.logprobs ?? []).entries())
    expect(Math.abs((found?.logprobs[i] ?? Number.NaN) - logprob)).toBeLessThan(2e-3);
}

const PROMPTS = {
  "the same prompt": common,
  "a prompt that goes on": [...common, ...ids(100, 2)],
  "a prompt that leaves in a chunk": [...common.slice(0, 500), ...ids(80, 3)],
  "a prompt that leaves behind a boundary": [...common.slice(0, 530), ...ids(20, 4)],
  "a prompt that is another": ids(300, 5),
};

test("behind a cached prefix every answer is as without a cache, and cached_tokens is what was not computed", async () => {
  const without = await openLocalEngine(model, { prefillRowsMax: 128, prefixCache: false });
  const warm = await openLocalEngine(model, { prefillRowsMax: 128 });
  await ask(warm, "warm", common);
  for (const [name, prompt] of Object.entries(PROMPTS)) {
    const [expected] = await ask(without, name, prompt);
    const [found] = await ask(warm, name, prompt);
    expectSame(found, expected);
    expect(expected?.cached).toBe(0);
    expect(rowsComputed(warm)).toBe(prompt.length + 11 - (found?.cached ?? 0));
    expect(found?.cached).toBe(
      { "a prompt that is another": 0, "a prompt that leaves in a chunk": 256 }[name] ?? found?.cached,
    );
    if (name !== "a prompt that is another") expect(found?.cached).toBeGreaterThanOrEqual(256);
  }
  expect(warm.sequences.kvBytesUsed).toBe(0);
  warm.sequences.cache.checkIntegrity();
});

test("a conversation's next turn computes only what is new, to a block", async () => {
  const local = await openLocalEngine(model, { prefillRowsMax: 256 });
  let history = ids(90, 7);
  for (let turn = 0; turn < 20; turn++) {
    const [answer] = await ask(local, `turn ${turn}`, history);
    if (turn > 0) expect(history.length - (answer?.cached ?? 0)).toBeLessThan(40 + 12 + 64);
    history = [...history, ...(answer?.tokens ?? []), ...ids(40, 8 + turn)];
  }
  local.sequences.cache.checkIntegrity();
});

test("choices of one request share the prompt's rows, which are there once", async () => {
  const local = await openLocalEngine(model, { prefillRowsMax: 256 });
  const answers = await ask(local, "four", common, 4);
  for (const answer of answers) expectSame(answer, answers[0]);
  // The prompt once, its last incomplete block for each other choice, and their answers.
  expect(rowsComputed(local)).toBeLessThan(common.length + 3 * 64 + 4 * 12);
  const bytes = local.sequences.kvUse;
  const { rowBytes, isGlobalLayer } = local.geometry;
  const globalLayers = isGlobalLayer.filter(Boolean).length;
  expect(bytes.global.cached).toBeLessThan((common.length + 6 * 64) * rowBytes * globalLayers);
  expect(bytes.global.referenced + bytes.local.referenced).toBe(0);
});

test("requests that come together compute a beginning that they share once, and answer as each does alone", async () => {
  const without = await openLocalEngine(model, { prefillRowsMax: 128, prefixCache: false });
  const local = await openLocalEngine(model, { prefillRowsMax: 128 });
  const hashed = (prompt: readonly number[]) => {
    const chain = new BlockHashes(servedModelSeed("", ""));
    chain.append(Int32Array.from(prompt));
    return chain.wire.slice();
  };
  const prompts = Array.from({ length: 5 }, (_, i) => [...common, ...ids(30, 20 + i)]);
  for (const [i, prompt] of prompts.entries()) {
    const task = greedyTask(`together-${i}`, prompt, 12);
    const params = { ...task.params, topLogprobs: 0 };
    expect(local.engine.place({ ...task, params, blockHashes: hashed(prompt) })).toBeUndefined();
  }
  await drain(local);
  // All of one prompt; of each other one what is behind the last boundary at worst, and its answer.
  expect(rowsComputed(local)).toBeLessThanOrEqual(730 + 4 * (730 - 512) + 5 * 11);
  const tokens = (name: string) =>
    local.events.flatMap(({ requestId, event }) =>
      requestId === name && event.kind === "token" ? [event.tokenId] : [],
    );
  for (const [i, prompt] of prompts.entries())
    expect(tokens(`together-${i}`)).toEqual((await ask(without, `alone ${i}`, prompt))[0]?.tokens);
  local.sequences.cache.checkIntegrity();
});

test("what is asked about its prompt reuses nothing, and fills the cache", async () => {
  const local = await openLocalEngine(model, { prefillRowsMax: 256 });
  await ask(local, "warm", common);
  const task = greedyTask("asked", common, 4);
  local.engine.place({ ...task, params: { ...task.params, promptTopLogprobs: 0 } });
  await drain(local);
  const positions = local.events.flatMap(({ requestId, event }) =>
    requestId === "asked" && event.kind === "prompt" ? event.logprobs : [],
  );
  expect(positions).toHaveLength(common.length);
  const done = local.events.find(({ requestId, event }) => requestId === "asked" && event.kind === "done");
  expect(done?.event).toMatchObject({ cachedTokenCount: 0 });
});
