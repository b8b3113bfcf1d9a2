import {
  dequantizeLinear,
  type LinearRows,
  loadModelConfig,
  openCheckpoint,
  type Quantization,
  quantizeLinear,
  StoredTextRows,
  TextWeights,
} from "@drover/checkpoint";
import { at } from "@drover/core";
import { tinyModel } from "@drover/testkit";
import { describe, expect, test } from "vitest";
import { openCuda } from "../driver/open-cuda.ts";
import { KernelLauncher } from "../kernels/kernel-launcher.ts";
import { KernelLibrary } from "../kernels/kernel-library.ts";
import { LinearKernels } from "../kernels/linear-kernels.ts";
import type { DeviceLinear } from "../kernels/product.ts";
import { DeviceMemory } from "../memory/device-memory.ts";
import { cpuCardLibraries, hasCpuCard } from "../testing/cpu-card.ts";
import { LinearUploader } from "./device-linear.ts";
import { matrixBytes } from "./weight-format.ts";

const int4: Quantization = { bits: 4, blockSize: 32 };

/** Integers of 4 or 8 bits with a scale for each group, as a checkpoint may have them, and what they stand for. */
function integers(form: "U4" | "U8" | "I8", outSize: number, inSize: number, groupSize: number): LinearRows {
  const bits = form === "U4" ? 4 : 8;
  const lineBytes = (inSize * bits) / 8;
  const bytes = Uint8Array.from({ length: outSize * lineBytes }, (_, i) => (i * 37 + (i >> 3) * 11) % 256);
  const groups = Math.ceil(inSize / groupSize);
  const scales = Float32Array.from({ length: outSize * groups }, (_, i) => (1 + (i % 13)) / 64);
  const numberOf = (i: number) => {
    const byte = at(bytes, Math.floor((i * bits) / 8));
    if (form === "I8") return (byte << 24) >> 24;
    return form === "U8" ? byte - 128 : ((byte >> (4 * (i & 1))) & 15) - 8;
  };
  const weights = Float32Array.from({ length: outSize * inSize }, (_, i) => {
    const group = Math.floor(i / inSize) * groups + Math.floor((i % inSize) / groupSize);
    return numberOf(i) * at(scales, group);
  });
  return {
    outSize,
    inSize,
    read: async (first, count) => weights.slice(first * inSize, (first + count) * inSize),
    stored: {
      ...{ form, isTransposed: false, lineCount: outSize, lineBytes, groupSize },
      scales: async () => scales,
      fill: async (first, target) =>
        target.set(bytes.subarray(first * lineBytes, first * lineBytes + target.byteLength)),
    },
  };
}

describe.skipIf(!hasCpuCard)("matrices on a CPU in a card's place (needs g++)", async () => {
  if (!hasCpuCard) return;
  const { device, compiler } = await openCuda(0, cpuCardLibraries());
  const stream = device.createStream();
  const library = new KernelLibrary({ device, compiler }, undefined);
  const memory = new DeviceMemory(device);
  const kernels = new LinearKernels(new KernelLauncher(device, library, stream), "f32");
  const uploaded = async (rows: LinearRows, quantization: Quantization | null): Promise<DeviceLinear> => {
    const uploader = new LinearUploader(device, memory, kernels, stream);
    const linear = await uploader.upload([rows], { quantization });
    await uploader.finish();
    uploader.close();
    return linear;
  };
  const read = ({ records, format, outSize, inSize }: DeviceLinear) => {
    const { weightBytes, scaleCount } = matrixBytes(format, outSize, inSize);
    const [weights, scales] = [new Uint8Array(weightBytes), new Float32Array(scaleCount)];
    device.read(at(records, 0), weights);
    if (scaleCount > 0) device.read(at(records, 1), new Uint8Array(scales.buffer));
    return { weights, scales };
  };

  test("quantized on their way they are to the bit the CPU's, of rows, of stacked rows and of experts that lie turned", async () => {
    await using folder = await tinyModel(5);
    const config = await loadModelConfig(folder.path);
    await using checkpoint = await openCheckpoint(folder.path);
    const rows = new StoredTextRows(new TextWeights(checkpoint, config));
    const { qkv } = await rows.attention(0);
    const { gateUp, down } = await rows.expert(1, 2);
    // What only the checkpoint's reader knows comes as floats.
    for (const matrix of [qkv, gateUp, down, { ...down, stored: undefined }]) {
      const { outSize, inSize } = matrix;
      const expected = quantizeLinear(await matrix.read(0, outSize), outSize, inSize, int4);
      const linear = await uploaded(matrix, int4);
      expect(linear.format).toEqual({ kind: "blocks", ...int4 });
      expect(read(linear)).toEqual({ weights: expected.packed, scales: expected.scales });
    }
  });

  test("integers that a checkpoint has keep their numbers, where a card has blocks for their groups; else they are floats", async () => {
    const cases = [
      { rows: integers("U4", 5, 256, 64), blockSize: 64 },
      { rows: integers("U4", 5, 256, 256), blockSize: 128 },
      { rows: integers("I8", 5, 96, 96), blockSize: 32 },
      { rows: integers("U8", 5, 192, 96), blockSize: 32 },
      { rows: integers("U4", 5, 96, 48), blockSize: undefined },
    ];
    for (const { rows, blockSize } of cases) {
      const linear = await uploaded(rows, null);
      const values = await rows.read(0, rows.outSize);
      const { weights, scales } = read(linear);
      if (linear.format.kind !== "blocks") {
        expect([linear.format.kind, blockSize]).toEqual(["f32", undefined]);
        expect(new Float32Array(weights.buffer)).toEqual(values);
        continue;
      }
      const { bits, blockSize: own } = linear.format;
      expect(own).toBe(blockSize);
      const found = dequantizeLinear(
        { kind: "quantized", bits, blockSize: own, packed: weights, scales },
        5,
        rows.inSize,
      );
      expect(found.map((value) => value + 0)).toEqual(values.map((value) => value + 0));
    }
  });

  test("nothing of their way stays on the card", () => {
    const own = memory.used("weights");
    memory.close();
    expect(own).toBeGreaterThan(0);
    expect(device.freeBytes).toBe(device.facts.byteCount);
    device.destroyStream(stream);
    device.close();
  });
});
