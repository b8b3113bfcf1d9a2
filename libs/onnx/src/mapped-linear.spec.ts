import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Quantization, quantizeLinear } from "@drover/checkpoint";
import type { LinearWeight } from "@drover/llama4";
import { expect, test } from "vitest";
import { linearGraph } from "./graphs/prepared.ts";
import { f32, f32Of, Session } from "./session.ts";
import { matrixPacker } from "./weights/matrix-packer.ts";

const OUT = 48;
const IN = 200;
const quantization: Quantization = { bits: 8, blockSize: 64 };
const values = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898) / 4);

function product(weight: LinearWeight): Float32Array {
  using session = new Session("linear", linearGraph(weight, OUT, IN), ["y"], { threads: 1 });
  return f32Of(session.run({ x: f32(values(3 * IN), [3, IN]) }), "y").slice();
}

test("a Linear in parts of several files, packed or not, is the same as in memory", async () => {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "drover-mapped-")));
  try {
    const weight = values(OUT * IN);
    const { pack } = await matrixPacker(quantization);
    const plain = [];
    const prepared = [];
    for (const [i, [first, rowCount]] of [[0, 32] as const, [32, 16] as const].entries()) {
      const rows = weight.subarray(first * IN, (first + rowCount) * IN);
      const part = quantizeLinear(rows, rowCount, IN, quantization);
      const scaleBytes = new Uint8Array(part.scales.buffer);
      const file = join(folder, `part ${i}`);
      const packed = { offset: 0, length: part.packed.length };
      const scales = { offset: packed.length, length: scaleBytes.length };
      await writeFile(file, Buffer.concat([part.packed, scaleBytes]));
      const made = await pack({ file, ...quantization, rowCount, inSize: IN, packed, scales }, folder);
      if (made === null) throw new Error("8-bit matrices are packed on every CPU");
      const bytes = (await readFile(made.file)).subarray(made.range.offset, made.range.offset + made.range.length);
      const padding = Buffer.alloc(64 - ((packed.length + scales.length) % 64));
      await writeFile(file, Buffer.concat([part.packed, scaleBytes, padding, bytes]));
      const range = { offset: packed.length + scales.length + padding.length, length: bytes.length };
      plain.push({ file, rowCount, packed, scales, prepared: null });
      prepared.push({ file, rowCount, packed, scales, prepared: { key: made.key, range } });
    }
    const expected = product(quantizeLinear(weight, OUT, IN, quantization));
    for (const parts of [plain, prepared])
      expect(product({ kind: "mapped", ...quantization, parts })).toEqual(expected);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
