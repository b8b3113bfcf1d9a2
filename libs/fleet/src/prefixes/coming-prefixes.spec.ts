import { modelId, requestId, workerId } from "@drover/core";
import { BLOCK_TOKENS, BlockHashes } from "@drover/kv";
import { beforeEach, describe, expect, it } from "vitest";
import { COMING_GRACE_MS, COMING_PROMPTS_MAX } from "../limits.ts";
import { placeRequest } from "../requests/request-placement.ts";
import { Reservations } from "../requests/reservations.ts";
import { capacity } from "../testing/capacity.ts";
import { sampleHashes } from "./block-sample.ts";
import { ComingPrefixes, type HashedPrompt } from "./coming-prefixes.ts";

const [a, b] = [workerId("a"), workerId("b")];
const CHUNK = 1024;

/** A prompt of so many tokens, the first `common` of which all have. */
function promptOf(promptTokenCount: number, common: number, seed: number): HashedPrompt {
  const chain = new BlockHashes({ modelFingerprint: "m", salt: "" });
  chain.append(Int32Array.from({ length: promptTokenCount }, (_, i) => (i < common ? i : 10_000 * seed + i)));
  return { hashes: sampleHashes(chain.wire), promptTokenCount };
}

const chosen = (cachedTokenCount = 0) => ({
  cachedTokenCount,
  time: { queueMs: 10, prefillMs: 80, loadMs: 10 },
});
const asked = promptOf(900, 700, 2);

describe("ComingPrefixes", () => {
  let coming = new ComingPrefixes({ blockTokens: BLOCK_TOKENS, chunkTokens: CHUNK });
  beforeEach(() => {
    coming = new ComingPrefixes({ blockTokens: BLOCK_TOKENS, chunkTokens: CHUNK });
  });

  it("what was placed on a worker is expected there, from when its rows are predicted to be computed", () => {
    coming.placed(a, requestId("one"), promptOf(900, 700, 1), chosen(), 0);
    // 640 of 900 tokens, in the 90 ms after the 10 in which it waits.
    const { tokenCount, inMs } = coming.of(asked, 0).get(a) ?? { tokenCount: 0, inMs: 0 };
    expect(tokenCount).toBe(640);
    expect(inMs).toBeCloseTo(10 + (640 / 900) * 90);
    expect(coming.of(asked, 60).get(a)?.inMs).toBeCloseTo(inMs - 60);
    expect(coming.of(asked, 500).get(a)).toEqual({ tokenCount: 640, inMs: 0 });
    expect(coming.of(asked, 0).get(b)).toBeUndefined();
    expect(coming.of(promptOf(900, 0, 3), 0).size).toBe(0);
  });

  it("is forgotten once the cache must name it, when the worker refuses it, and when the worker is lost", () => {
    coming.placed(a, requestId("one"), promptOf(900, 700, 1), chosen(), 0);
    expect(coming.of(asked, 100 + COMING_GRACE_MS).size).toBe(1);
    expect(coming.of(asked, 101 + COMING_GRACE_MS).size).toBe(0);
    coming.placed(b, requestId("two"), promptOf(900, 700, 1), chosen(), 5000);
    expect(coming.count).toBe(1);
    coming.release(a, requestId("two"));
    expect(coming.count).toBe(1);
    coming.release(b, requestId("two"));
    coming.placed(b, requestId("three"), promptOf(900, 700, 1), chosen(), 5000);
    coming.forget(b);
    expect(coming.count).toBe(0);
  });

  it("counts no further than a chunk's border where the other prompt goes on beyond the chunk", () => {
    coming.placed(a, requestId("one"), promptOf(3000, 1500, 1), chosen(), 0);
    expect(coming.of(promptOf(1600, 1500, 2), 0).get(a)?.tokenCount).toBe(1024);
    coming.placed(b, requestId("two"), promptOf(1700, 1500, 1), chosen(), 0);
    expect(coming.of(promptOf(1600, 1500, 2), 0).get(b)?.tokenCount).toBe(1472);
  });

  it("remembers what brings some blocks only, and a bounded number of prompts with one beginning", () => {
    coming.placed(a, requestId("one"), promptOf(900, 700, 1), chosen(800), 0);
    coming.placed(a, requestId("two"), { hashes: new Uint8Array(), promptTokenCount: 900 }, chosen(), 0);
    expect(coming.count).toBe(0);
    for (let i = 0; i < 2 * COMING_PROMPTS_MAX; i++)
      coming.placed(a, requestId(`r${i}`), promptOf(900, 700, 3), chosen(), 0);
    expect(coming.count).toBe(COMING_PROMPTS_MAX);
  });
});

describe("a burst with one new beginning", () => {
  const costs = { promptRowMs: 0.1, contextTokenMs: 0, decodeMs: 0, decodeRowMs: 0, stepMsMax: 125 };
  const workers = ["a", "b", "c"].map((id) => capacity(id, { costs, contextTokensMax: 1e5, kvBytesMax: 1e9 }));

  /** Places requests all at once; on each worker, the prompts that must be computed from the start. */
  function place(prompts: readonly HashedPrompt[], remembers: boolean) {
    const coming = new ComingPrefixes({ blockTokens: BLOCK_TOKENS, chunkTokens: CHUNK });
    const reservations = new Reservations();
    return prompts.map((prompt, i) => {
      const found = remembers ? coming.of(prompt, 0) : new Map();
      const seen = workers.map((worker) => {
        const { bytes, count, promptMs } = reservations.total(worker.workerId);
        return { ...worker, reservedBytes: bytes, reservedCount: count, reservedPromptMs: promptMs };
      });
      const { promptTokenCount } = prompt;
      const request = { modelId: modelId("nano"), promptTokenCount, newTokenCountMax: 1, choiceCount: 1 };
      const decision = placeRequest(seen, request, { coming: (worker) => found.get(worker) });
      if (decision.kind !== "worker") throw new Error("there is room");
      reservations.reserve(decision.workerId, requestId(`r${i}`), decision);
      coming.placed(decision.workerId, requestId(`r${i}`), prompt, decision.candidate, 0);
      return decision;
    });
  }
  const burst = (count: number) => Array.from({ length: count }, (_, i) => promptOf(2000, 1960, i));
  const computed = (decisions: ReturnType<typeof place>) =>
    decisions.reduce((sum, { cachedTokenCount }) => sum + 2000 - cachedTokenCount, 0);

  it("goes behind the first of them while waiting for it takes no longer than to compute it again", () => {
    const decisions = place(burst(5), true);
    expect(new Set(decisions.map((decision) => decision.workerId)).size).toBe(1);
    expect(computed(decisions)).toBe(2000 + 4 * (2000 - 1920));
    expect(computed(place(burst(5), false))).toBe(5 * 2000);
  });

  it("spreads when it is so large that those behind would wait longer than that", () => {
    const decisions = place(burst(100), true);
    const first = decisions.filter(({ cachedTokenCount }) => cachedTokenCount === 0);
    expect(new Set(decisions.map((decision) => decision.workerId)).size).toBe(3);
    expect(first).toHaveLength(3);
    const longest = Math.max(...decisions.map(({ candidate }) => candidate.time.queueMs + candidate.time.prefillMs));
    expect(longest).toBeLessThan(200 + 100 * 8);
  });
});
