import { at, greedyParams } from "@drover/core";
import { openCuda } from "@drover/cuda";
import type { StoredSequences } from "@drover/sequences";
import { drain, greedyTask, type LocalEngine, openLocalEngine, tinyModel } from "@drover/testkit";
import { afterAll, describe, expect, test } from "vitest";
import { cpuCardLibraries, hasCpuCard } from "../../libs/cuda/src/testing/cpu-card.ts";
import { cardEngine } from "./card-engine.ts";
import { answersOf, expectAlike, prompt, tokensOf } from "./engine-answers.ts";

describe.skipIf(!hasCpuCard)("an engine whose executor is a card (a CPU in its place; needs g++)", async () => {
  if (!hasCpuCard) return;
  const folder = await tinyModel(11);
  const cuda = await openCuda(0, cpuCardLibraries());
  // As a card's, its work is not over when it is first asked for.
  const [asked, hasPassed] = [new Set<bigint>(), cuda.device.hasPassed.bind(cuda.device)];
  cuda.device.hasPassed = (event) => {
    if (asked.delete(event)) return hasPassed(event);
    asked.add(event);
    return false;
  };
  const free = cuda.device.freeBytes;
  afterAll(async () => {
    cuda.device.close();
    await folder[Symbol.asyncDispose]();
  });
  const cpu = await openLocalEngine(folder.path, { prefillRowsMax: 64 });
  const expected = await answersOf(cpu);

  test("answers as the CPU's does, whatever its steps and whatever is asked", async () => {
    using card = await cardEngine(cuda, folder.path, { prefillRowsMax: 20 });
    const found = await answersOf(card.local);
    expect(found.length).toBe(expected.length);
    for (const [i, answer] of found.entries()) expectAlike(answer, at(expected, i));
    expect(await drawnTokens(card.local)).toEqual(await drawnTokens(cpu));
    // Most of those steps were enqueued before the one before them was over.
    expect(card.counts.followed).toBeGreaterThan(8);
    expect(card.text.store.byteCount).toBe(allocated(card.sequences));
  });

  test("what is cached is not computed again, and no token changes where memory is short", async () => {
    using card = await cardEngine(cuda, folder.path, { prefillRowsMax: 16, kvBytesMax: 290 * 2 ** 10 });
    const { local, text, sequences } = card;
    const run = async (names: readonly string[], length: number, maxTokens: number) => {
      local.events.length = 0;
      for (const [i, name] of names.entries())
        expect(local.engine.place(greedyTask(name, prompt(length, i), maxTokens))).toBeUndefined();
      await drain(local);
      expect(text.store.byteCount).toBe(allocated(sequences));
      return names.map((name) => tokensOf(local.events.filter(({ requestId }) => requestId === name)));
    };
    const alone = (await run(["alone"], 70, 40))[0];
    // Outputs of one token teach it to expect short ones: then it takes more than it has room for, and some wait or are computed again.
    for (let i = 0; i < 40; i += 4)
      await run(
        [0, 1, 2, 3].map((j) => `short${i + j}`),
        3,
        1,
      );
    const [first] = await run(["a", "b", "c", "d"], 70, 125);
    expect(first?.slice(0, 40)).toEqual(alone);
    const [again] = await run(["again"], 70, 40);
    expect(again).toEqual(alone);
    expect(cachedOf(local)).toBeGreaterThanOrEqual(32);
  });

  test("nothing stays on the card", () => expect(cuda.device.freeBytes).toBe(free));
});

/** Tokens that are drawn of some prompts, and the likeliest of one, all together: by their place alone, as no penalty or ban is. */
async function drawnTokens(local: LocalEngine): Promise<readonly string[]> {
  local.events.length = 0;
  for (const [i, length] of [9, 31, 40].entries()) {
    const params = { ...greedyParams(14), seed: i, ...(i > 0 && { temperature: 0.9, topP: 0.9, topK: 40 }) };
    expect(local.engine.place({ ...greedyTask(`drawn${i}`, prompt(length, i), 14), params })).toBeUndefined();
  }
  await drain(local);
  return local.events
    .flatMap(({ requestId, event }) => (event.kind === "token" ? [`${requestId} ${event.index} ${event.tokenId}`] : []))
    .sort();
}

function cachedOf(local: LocalEngine): number {
  return local.events.reduce((sum, { event }) => sum + (event.kind === "done" ? event.cachedTokenCount : 0), 0);
}

function allocated({ kvUse }: StoredSequences): number {
  const { global, local } = kvUse;
  return global.referenced + global.cached + local.referenced + local.cached;
}
