import { dequantizeLinear, quantizeLinear } from "@drover/checkpoint";
import type { DeviceLinear } from "../../model/device-linear.ts";
import type { WeightFormat } from "../../model/weight-format.ts";
import type { Precision, Routing } from "../linear-kernels.ts";
import { type CheckedCard, relativeError, toBf16 } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

type Shape = Readonly<{ outSize: number; inSize: number; rowCount: number; matrixCount: number }>;
/** A matrix as it lies on the card, and the numbers that it stands for. */
type Made = Readonly<{ weights: bigint; scales: bigint; values: Float32Array }>;

/** y = W x for each row, in f64; `of` names each row's matrix. */
function multiply(matrices: readonly Made[], of: readonly number[], x: Float32Array, { outSize, inSize }: Shape) {
  const y = new Float64Array(of.length * outSize);
  for (const [row, matrix] of of.entries()) {
    const w = matrices[matrix]?.values as Float32Array;
    for (let out = 0; out < outSize; out++) {
      let sum = 0;
      for (let i = 0; i < inSize; i++) sum += (w[out * inSize + i] as number) * (x[row * inSize + i] as number);
      y[row * outSize + out] = sum;
    }
  }
  return y;
}

function matrix(card: CheckedCard, random: Random, format: WeightFormat, { outSize, inSize }: Shape): Made {
  const count = outSize * inSize;
  if (format.kind === "e4m3") {
    // Every byte but those that are no numbers.
    const bytes = Uint8Array.from({ length: count }, () => random.integer(256)).map((b) => ((b & 127) === 127 ? 0 : b));
    const scales = Float32Array.from({ length: outSize }, () => 0.001 + random.unit() / 100);
    const values = Float32Array.from(bytes, (byte, i) => e4m3(byte) * (scales[Math.floor(i / inSize)] as number));
    return { weights: card.put(bytes), scales: card.put(scales), values };
  }
  const values = random.floats(count, 0.1);
  if (format.kind === "f32") return { weights: card.put(values), scales: 0n, values };
  if (format.kind === "bf16") return { weights: card.put(toBf16(values)), scales: 0n, values };
  const bits = format.kind === "tiles" ? 4 : format.bits;
  const quantized = quantizeLinear(values, outSize, inSize, { bits, blockSize: format.blockSize as 32 | 64 | 128 });
  const plain = { packed: card.put(quantized.packed), scales: card.put(quantized.scales) };
  const stands = dequantizeLinear(quantized, outSize, inSize);
  if (format.kind === "blocks") return { weights: plain.packed, scales: plain.scales, values: stands };
  const [tiles, pairs] = [card.room(quantized.packed.byteLength), card.room(quantized.scales.byteLength)];
  card.linears("f16").pack({ ...plain, tiles, pairs, outSize, inSize, blockSize: format.blockSize });
  return { weights: tiles, scales: pairs, values: stands };
}

/** float8_e4m3fn: bias 7, no infinities. */
function e4m3(byte: number): number {
  const sign = byte & 128 ? -1 : 1;
  const exponent = (byte >> 3) & 15;
  const fraction = byte & 7;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7));
}

function routingOf(card: CheckedCard, of: readonly number[]): Routing {
  const order = of.map((_, row) => row).sort((a, b) => (of[a] as number) - (of[b] as number) || a - b);
  const jobs: number[] = [];
  for (let first = 0; first < order.length; ) {
    const matrixOf = (place: number) => of[order[place] as number] as number;
    let count = 1;
    while (count < 8 && first + count < order.length && matrixOf(first + count) === matrixOf(first)) count += 1;
    jobs.push(matrixOf(first), first, count, 0);
    first += count;
  }
  return {
    scales: 0n,
    order: card.put(Int32Array.from(order)),
    jobs: card.put(Int32Array.from(jobs)),
    jobCount: card.put(Int32Array.of(jobs.length / 4)),
    jobCountMax: order.length,
  };
}

function linearCheck(format: WeightFormat, precision: Precision, shape: Shape): KernelCheck {
  const { outSize, inSize, rowCount, matrixCount } = shape;
  const bits = format.kind === "blocks" ? `int${format.bits} of ${format.blockSize}` : format.kind;
  const name = format.kind === "tiles" ? `tiles of int4 of ${format.blockSize}` : bits;
  return {
    name: `linear ${name}, ${precision} rows ${rowCount} x [${outSize}, ${inSize}] x ${matrixCount}`,
    errorMax: 1e-5,
    run: (card, random) => {
      const matrices = Array.from({ length: matrixCount }, () => matrix(card, random, format, shape));
      const table = card.put(BigUint64Array.from(matrices.flatMap(({ weights, scales }) => [weights, scales])));
      const of = Array.from({ length: rowCount }, () => random.integer(matrixCount));
      const x = random.floats(rowCount * inSize);
      const y = card.room(4 * rowCount * outSize);
      const linear: DeviceLinear = { format, outSize, inSize, table };
      card.linears(precision).multiply(rowCount, {
        linear,
        x: card.activations(x, precision),
        y,
        ...(matrixCount > 1 && { routing: routingOf(card, of) }),
      });
      return relativeError(card.floats(y, rowCount * outSize), multiply(matrices, of, x, shape));
    },
  };
}

const small = { outSize: 40, inSize: 320, rowCount: 11, matrixCount: 1 };
const odd = { outSize: 24, inSize: 72, rowCount: 3, matrixCount: 1 };
const experts = { outSize: 20, inSize: 64, rowCount: 30, matrixCount: 3 };

/** Products of rows and matrices, in each format of weights. */
export const linearChecks: readonly KernelCheck[] = [
  linearCheck({ kind: "f32" }, "f32", small),
  linearCheck({ kind: "bf16" }, "bf16", small),
  linearCheck({ kind: "e4m3" }, "bf16", small),
  linearCheck({ kind: "blocks", bits: 4, blockSize: 32 }, "f16", small),
  linearCheck({ kind: "blocks", bits: 8, blockSize: 64 }, "f32", odd),
  linearCheck({ kind: "blocks", bits: 4, blockSize: 128 }, "bf16", odd),
  linearCheck({ kind: "e4m3" }, "f32", experts),
  linearCheck({ kind: "tiles", blockSize: 128 }, "f16", { outSize: 64, inSize: 1280, rowCount: 11, matrixCount: 1 }),
  linearCheck({ kind: "tiles", blockSize: 64 }, "f16", { outSize: 64, inSize: 320, rowCount: 13, matrixCount: 3 }),
];
