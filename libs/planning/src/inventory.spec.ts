import { describe, expect, test } from "vitest";
import { residentBytes, weightInventory } from "./inventory.ts";
import { quantizedTensors } from "./quantized-tensors.ts";
import {
  bf16Formats,
  checkpointTensors,
  fusedFp8Formats,
  maverick,
  scout,
  unfusedFp8Formats,
} from "./testing/models.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe("released shapes in bf16", () => {
  const large = weightInventory(checkpointTensors(maverick, bf16Formats), maverick);
  const small = weightInventory(checkpointTensors(scout, bf16Formats), scout);

  test("parameters are those that are known of both models", () => {
    expect(large.parameterCount).toBe(401_583_781_376);
    expect(large.byKind.vision.parameters).toBe(850_960_896 + 20_971_520);
    expect(large.parameterCount - large.byKind.vision.parameters).toBe(400_711_848_960);
    expect(small.parameterCount).toBe(108_641_793_536);
  });

  test("every kind weighs what its tensors do", () => {
    expect(large.byKind.embedding.bytes).toBe(2_068_971_520);
    expect(large.byKind.head.bytes).toBe(2_068_971_520);
    expect(large.byKind.attention.bytes).toBe(48 * 2 * 62_914_560);
    expect(large.byKind.norm.bytes).toBe((2 * 48 + 1) * 10_240);
    expect(large.byKind.router.bytes).toBe(24 * 1_310_720);
    expect(large.byKind.dense.bytes).toBe(24 * 3 * 167_772_160);
    expect(large.byKind.shared.bytes).toBe(24 * 3 * 83_886_080);
    expect(large.byKind.routed.bytes).toBe(24 * (21_474_836_480 + 10_737_418_240));
    expect(small.byKind.router.bytes).toBe(48 * 163_840);
    expect(small.byKind.routed.bytes).toBe(48 * (2_684_354_560 + 1_342_177_280));
    expect(large.byKind.routed.bytes).toBe(720 * GIB);
    expect(small.byKind.routed.bytes).toBe(180 * GIB);
    expect(large.byKind.other.tensorCount).toBe(0);
  });

  test("layers weigh what is read for a token", () => {
    expect(large.layers[1]?.expertBytes).toBe(240 * MIB);
    expect(large.layers[0]?.expertBytes).toBe(0);
    expect(large.layers[1]?.sharedBytes).toBe(240 * MIB);
    expect(large.layers[0]?.residentBytes).toBe(600 * MIB + 2 * 10_240);
    expect(residentBytes(large) + large.byKind.vision.bytes).toBe(large.totalBytes - 720 * GIB);
  });
});

test("fused FP8 halves the routed experts and adds one f32 scale an output", () => {
  const { byKind, parameterCount } = weightInventory(checkpointTensors(maverick, fusedFp8Formats), maverick);
  const scaleBytes = 24 * 128 * 4 * (16_384 + 5120);
  expect(byKind.routed.bytes).toBe(360 * GIB + scaleBytes);
  expect(byKind.shared.bytes).toBe(24 * 240 * MIB);
  expect(parameterCount).toBe(401_583_781_376);
});

test("unfused FP8 covers shared and dense MLPs too, with bf16 scales", () => {
  const { byKind, byDtype, parameterCount } = weightInventory(checkpointTensors(maverick, unfusedFp8Formats), maverick);
  const scaleBytes = 2 * (8192 + 8192 + 5120);
  expect(byKind.routed.bytes).toBe(24 * 128 * (120 * MIB + scaleBytes));
  expect(byKind.shared.bytes).toBe(24 * (120 * MIB + scaleBytes));
  expect(byKind.dense.bytes).toBe(24 * (240 * MIB + 2 * (16_384 + 16_384 + 5120)));
  expect(byDtype.F8_E4M3).toBe(386_547_056_640 + 3_019_898_880 + 6_039_797_760);
  expect(parameterCount).toBe(401_583_781_376);
});

test("a quantized model weighs the same whatever format it was stored in", () => {
  const sizes = {
    layers: {
      dtype: "int4",
      linearBytes: (outSize: number, inSize: number) => outSize * Math.ceil(inSize / 128) * (64 + 4),
    },
    head: null,
  };
  const totals = [bf16Formats, fusedFp8Formats, unfusedFp8Formats].map((formats) => {
    const inventory = weightInventory(quantizedTensors(checkpointTensors(maverick, formats), sizes), maverick);
    return { ...inventory.byKind, routed: inventory.byKind.routed.bytes, dense: inventory.byKind.dense.bytes };
  });
  expect(totals[0]?.routed).toBe(24 * 128 * 63.75 * MIB);
  expect(totals[0]?.head.bytes).toBe(2_068_971_520);
  expect(totals[1]?.routed).toBe(totals[0]?.routed);
  expect(totals[2]?.routed).toBe(totals[0]?.routed);
  expect(totals[2]?.dense).toBe(totals[0]?.dense);
});
