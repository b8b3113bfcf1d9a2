import type { ModelShape } from "@drover/llama4";
import { expect, test } from "vitest";
import type { FleetRequest } from "./fleet-layout.ts";
import { type WeightInventory, weightInventory } from "./inventory.ts";
import { CARD_STEP_FACTOR } from "./limits.ts";
import { planFleet } from "./plan.ts";
import { quantizedTensors } from "./quantized-tensors.ts";
import type { Alternative } from "./remedies.ts";
import { bf16Formats, checkpointTensors, fusedFp8Formats, maverick, scout } from "./testing/models.ts";

const GIB = 2 ** 30;
const H100 = { bandwidth: 3.35e12, alternatives: [] };

const inventory = (model: ModelShape) => weightInventory(checkpointTensors(model, bf16Formats), model);
const int4 = (model: ModelShape): WeightInventory => {
  const linearBytes = (outSize: number, inSize: number) => outSize * Math.ceil(inSize / 128) * 68;
  const format = { dtype: "int4", linearBytes };
  const sizes = { layers: format, head: format };
  return weightInventory(quantizedTensors(checkpointTensors(model, bf16Formats), sizes), model);
};
const maverickFp8 = weightInventory(checkpointTensors(maverick, fusedFp8Formats), maverick);

function asked(model: ModelShape, weights: WeightInventory, changes: Partial<FleetRequest> = {}): FleetRequest {
  const fleet = {
    gpuCount: 8,
    gpuBytes: 80 * GIB,
    reserveBytes: GIB,
    replicaCount: 1,
    stepRows: 512,
    kvFormat: "bf16",
  } as const;
  return { model, weights, contextTokens: 131_072, ...fleet, ...changes };
}

test("Scout in int4 fits one card of 80 GiB", () => {
  expect(planFleet(asked(scout, int4(scout), { gpuCount: 1 }), H100)).toMatchObject({ fits: true, together: true });
});

test("Maverick in FP8 fits one host of eight cards of 80 GiB, a request of a million tokens included", () => {
  const plan = planFleet(asked(maverick, maverickFp8, { contextTokens: 1_048_576 }), H100);
  expect(plan.fits).toBe(true);
  expect(plan.context.requestCount).toBeGreaterThan(0);
});

test("Maverick in bf16 does not fit eight cards, and every remedy does", () => {
  const alternatives: Alternative[] = [{ quantize: "int4", weights: int4(maverick) }];
  const request = asked(maverick, inventory(maverick));
  const plan = planFleet(request, { ...H100, alternatives });
  expect(plan).toMatchObject({ fits: false, weightsFit: false });
  expect(plan.missingBytes).toBeGreaterThan(0);
  expect(plan.remedies.length).toBeGreaterThan(1);
  for (const { quantize, ...changes } of plan.remedies) {
    const weights = quantize === undefined ? request.weights : int4(maverick);
    expect(planFleet({ ...request, ...changes, weights }, H100).fits).toBe(true);
  }
});

test("a remedy is the least change: one GPU fewer, or a KiB of tokens more, does not fit", () => {
  const weights = inventory(maverick);
  const gpus =
    planFleet(asked(maverick, weights), H100).remedies.find((one) => one.gpuCount !== undefined)?.gpuCount ?? 0;
  expect(planFleet(asked(maverick, weights, { gpuCount: gpus - 1 }), H100).fits).toBe(false);
  const long = asked(scout, int4(scout), { gpuCount: 1, contextTokens: 10_485_760 });
  const shorter = planFleet(long, H100).remedies.find((one) => one.contextTokens !== undefined)?.contextTokens ?? 0;
  expect(planFleet({ ...long, contextTokens: shorter }, H100).fits).toBe(true);
  expect(planFleet({ ...long, contextTokens: shorter + 1024 }, H100).fits).toBe(false);
});

test("more GPUs are no remedy for a request that one cannot hold, and fewer copies are one for experts", () => {
  const long = planFleet(asked(scout, int4(scout), { contextTokens: 10_485_760 }), H100);
  expect(long.fits).toBe(false);
  expect(long.remedies.some((one) => one.gpuCount !== undefined)).toBe(false);
  const copies = planFleet(asked(maverick, maverickFp8, { replicaCount: 2 }), H100);
  expect(copies.remedies).toContainEqual({ replicaCount: 1 });
});

test("each worker's parts and what it has left are its whole memory", () => {
  for (const gpuCount of [1, 2, 5, 8]) {
    const plan = planFleet(asked(maverick, maverickFp8, { gpuCount, replicaCount: 1 }), H100);
    for (const one of plan.workers) {
      const used = one.residentBytes + one.expertBytes + one.visionBytes + one.activationBytes + one.reserveBytes;
      expect(used + one.freeBytes).toBe(80 * GIB);
    }
    const held = plan.workers.reduce((sum, { expertBytes, first, last }) => sum + expertBytes * (last - first + 1), 0);
    expect(held).toBe(maverickFp8.byKind.routed.bytes);
    expect(plan.workers.filter(({ hasVision }) => hasVision)).toHaveLength(1);
  }
});

test("where every worker is to be alike each attends and holds as many experts as the others, whatever else would serve more", () => {
  const cards = { gpuBytes: 139 * GIB, contextTokens: 262_144, kvFormat: "f32" } as const;
  const free = planFleet(asked(maverick, maverickFp8, cards), H100);
  const alike = planFleet(asked(maverick, maverickFp8, { ...cards, together: true }), H100);
  expect(free.together).toBe(false);
  expect(alike).toMatchObject({ fits: true, together: true, attentionWorkerCount: 8 });
  for (const { isAttention, expertCount } of alike.workers)
    expect({ isAttention, expertCount }).toEqual({ isAttention: true, expertCount: (24 * 128) / 8 });
});

test("a step on a card is its floor times what was measured", () => {
  const steps = planFleet(asked(scout, int4(scout), { gpuCount: 1 }), H100).floors.flatMap((one) => one.steps);
  for (const { batchSize, stepMs, cardStepMs, cardTokensPerSecond } of steps) {
    expect(cardStepMs / stepMs).toBeCloseTo(CARD_STEP_FACTOR, 9);
    expect(cardTokensPerSecond).toBeCloseTo((1000 * batchSize) / cardStepMs, 6);
  }
});

test("one sequence's floor reads its active parameters once", () => {
  const plan = planFleet(asked(maverick, inventory(maverick), { gpuCount: 16 }), H100);
  const [alone] = plan.floors[0]?.steps ?? [];
  // 16.15 billion active parameters in bf16.
  expect((alone?.weightBytes ?? 0) / 1e9).toBeCloseTo(32.3, 1);
  expect(plan.floors[0]?.steps.find(({ batchSize }) => batchSize === 64)?.expertsTouched).toBeCloseTo(50.5, 1);
});
