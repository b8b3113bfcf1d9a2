import { join } from "node:path";
import type { Quantization } from "@drover/checkpoint";
import { drain, greedyTask, openLocalEngine } from "@drover/testkit";
import { expect, test } from "vitest";

const model = join(import.meta.dirname, "../../models/nano");
const prompts = [5, 120, 257, 40, 300].map((length, seed) =>
  Array.from({ length }, (_, i) => (i * 7919 + seed * 104_729) % 3000),
);

/** Every prompt's greedy tokens, computed together or one after the other. */
async function generate(
  quantization: Quantization | null,
  together: boolean,
  remoteExperts = false,
): Promise<Record<string, number[]>> {
  const local = await openLocalEngine(model, { prefillRowsMax: together ? 64 : 512, quantization, remoteExperts });
  for (const [i, ids] of prompts.entries()) {
    expect(local.engine.place(greedyTask(`r${i}`, ids, 8))).toBeUndefined();
    if (!together) await drain(local);
  }
  await drain(local);
  const tokens: Record<string, number[]> = {};
  for (const { requestId, event } of local.events) {
    if (event.case === "token") tokens[requestId] = [...(tokens[requestId] ?? []), event.value.tokenId];
  }
  expect(Object.values(tokens).map((list) => list.length)).toEqual(prompts.map(() => 8));
  return tokens;
}

test.each([
  { bits: 4, blockSize: 128 },
  { bits: 8, blockSize: 32 },
] as const)("quantized tokens do not depend on the batch or on the prefill chunk: %o", async (quantization) => {
  expect(await generate(quantization, true)).toEqual(await generate(quantization, false));
});

test("tokens do not depend on whether the shared expert is a run of its own", async () => {
  expect(await generate(null, true, true)).toEqual(await generate(null, true, false));
});
