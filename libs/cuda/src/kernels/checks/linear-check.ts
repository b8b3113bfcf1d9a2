import { dequantizeLinear, quantizeLinear } from "@drover/checkpoint";
import { matrixBytes, type RowFormat, type TileFormat, type WeightFormat } from "../../model/weight-format.ts";
import { rowsOfJob } from "../linear-kernels.ts";
import type { DeviceLinear, Routing } from "../product.ts";
import { type CheckedCard, relativeError, toBf16 } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

type Shape = Readonly<{ outSize: number; inSize: number; rowCount: number; matrixCount: number }>;
/** Rows as they are stored, and the numbers that they stand for. */
type Stored = Readonly<{ weights: bigint; scales: bigint; values: Float32Array }>;

/** y = W x for each row, in f64; `of` names each row's matrix. */
function multiply(matrices: readonly Stored[], of: readonly number[], x: Float32Array, { outSize, inSize }: Shape) {
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

function storedRows(card: CheckedCard, random: Random, format: RowFormat, { outSize, inSize }: Shape): Stored {
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
  const { bits, blockSize } = format;
  const quantized = quantizeLinear(values, outSize, inSize, { bits, blockSize });
  const [weights, scales] = [card.put(quantized.packed), card.put(quantized.scales)];
  return { weights, scales, values: dequantizeLinear(quantized, outSize, inSize) };
}

/** float8_e4m3fn: bias 7, no infinities. */
function e4m3(byte: number): number {
  const sign = byte & 128 ? -1 : 1;
  const exponent = (byte >> 3) & 15;
  const fraction = byte & 7;
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7));
}

/** The same rows in tiles, brought there in two parts. */
function inTiles(card: CheckedCard, rows: Stored, kind: RowFormat["kind"], tiled: TiledSetting): Stored {
  const { format, isGated, shape } = tiled;
  const { outSize, inSize } = shape;
  const { weightBytes, scaleCount } = matrixBytes(format, outSize, inSize);
  const placed = { tiles: card.room(weightBytes), scales: card.room(4 * scaleCount) };
  const plain = matrixBytes(tiled.stored, outSize, inSize);
  const rowBytes = plain.weightBytes / outSize;
  const scaleBytes = (4 * plain.scaleCount) / outSize;
  for (const [first, to] of [
    [0, 16],
    [16, outSize],
  ] as const)
    card.linears("f16").pack({
      ...{ source: rows.weights + BigInt(first * rowBytes), stored: rows.scales + BigInt(first * scaleBytes) },
      ...{ first, rows: to - first },
      ...{ kind, format, ...placed, outSize, inSize, isGated },
    });
  return { weights: placed.tiles, scales: placed.scales, values: rows.values };
}

function routingOf(card: CheckedCard, of: readonly number[], rowsMax: number, expertCount: number): Routing {
  const order = of.map((_, row) => row).sort((a, b) => (of[a] as number) - (of[b] as number) || a - b);
  const jobs: number[] = [];
  for (let first = 0; first < order.length; ) {
    const matrixOf = (place: number) => of[order[place] as number] as number;
    let count = 1;
    while (count < rowsMax && first + count < order.length && matrixOf(first + count) === matrixOf(first)) count += 1;
    jobs.push(matrixOf(first), first, count, 0);
    first += count;
  }
  return {
    scales: 0n,
    order: card.put(Int32Array.from(order)),
    jobs: card.put(Int32Array.from(jobs)),
    jobCount: card.put(Int32Array.of(jobs.length / 4)),
    jobCountMax: order.length,
    expertCount,
  };
}

function tableOf(card: CheckedCard, matrices: readonly Stored[], format: WeightFormat, shape: Shape): DeviceLinear {
  const records = BigUint64Array.from(matrices.flatMap(({ weights, scales }) => [weights, scales]));
  const { outSize, inSize } = shape;
  return { format, outSize, inSize, count: matrices.length, records, table: card.put(records) };
}

function nameOf(format: RowFormat): string {
  return format.kind === "blocks" ? `int${format.bits} of ${format.blockSize}` : format.kind;
}

/** Rows of f32 and matrices that lie row by row. */
function rowsCheck(format: RowFormat, shape: Shape): KernelCheck {
  const { outSize, inSize, rowCount, matrixCount } = shape;
  return {
    name: `linear ${nameOf(format)}, ${rowCount} x [${outSize}, ${inSize}] x ${matrixCount}`,
    errorMax: 1e-5,
    run: (card, random) => {
      const matrices = Array.from({ length: matrixCount }, () => storedRows(card, random, format, shape));
      const of = Array.from({ length: rowCount }, () => random.integer(matrixCount));
      const x = random.floats(rowCount * inSize);
      const y = card.room(4 * rowCount * outSize);
      card.linears("f32").multiply(rowCount, {
        linear: tableOf(card, matrices, format, shape),
        x: card.put(x),
        y,
        ...(matrixCount > 1 && { routing: routingOf(card, of, 8, matrixCount) }),
      });
      return relativeError(card.floats(y, rowCount * outSize), multiply(matrices, of, x, shape));
    },
  };
}

type TiledSetting = Readonly<{
  stored: RowFormat;
  format: TileFormat;
  shape: Shape;
  isGated: boolean;
  /** Whether the last matrix is the shared expert's, which half as many rows again go to. */
  isShared: boolean;
}>;

/** silu(s gate) (s up) of rows [gate, up]. */
function gatedRows(y: Float64Array, scaleOf: (row: number) => number, outSize: number): Float64Array {
  const width = outSize / 2;
  return Float64Array.from({ length: y.length / 2 }, (_, at) => {
    const [row, i] = [Math.floor(at / width), at % width];
    const scale = scaleOf(row);
    const [gate, up] = [scale * (y[row * outSize + i] as number), scale * (y[row * outSize + width + i] as number)];
    return (gate / (1 + Math.exp(-gate))) * up;
  });
}

/** Rows of f16 and matrices in tiles. Of a shared expert's rows the list is that of routed ones and then, from `fold` on, some of the same again. */
function tiledError(card: CheckedCard, random: Random, setting: TiledSetting): number {
  const { stored, format, shape, isGated, isShared } = setting;
  const { outSize, inSize, rowCount, matrixCount } = shape;
  const plain = Array.from({ length: matrixCount }, () => storedRows(card, random, stored, shape));
  const linear = tableOf(
    card,
    plain.map((each) => inTiles(card, each, stored.kind, setting)),
    format,
    shape,
  );
  const expertCount = matrixCount - (isShared ? 1 : 0);
  const of = Array.from({ length: rowCount }, () => random.integer(expertCount));
  const everyRow = isShared ? [...of, ...of.map(() => expertCount)] : of;
  const x = Float32Array.from(random.floats(rowCount * inSize), (v) => v + v / 2 ** 14);
  const scales = Float32Array.from({ length: rowCount }, () => random.unit());
  const fold = isShared && isGated ? rowCount : 0;
  const inputs = isShared && !isGated ? Float32Array.of(...x, ...x) : x;
  const width = isGated ? outSize / 2 : outSize;
  const routing = matrixCount > 1 && {
    routing: routingOf(card, everyRow, rowsOfJob(rowCount, expertCount, "f16"), expertCount),
  };
  const spread = routing === false ? 0 : expertCount;
  const linears = card.linears("f16");
  const { activations } = linears;
  const input = card.activations(inputs, inSize, "f16", rowCount, spread);
  const product = { linear, x: input, factor: 0.5, ...(isShared && { fold: rowCount }), ...routing };
  const y = card.room(everyRow.length * (isGated ? activations.rowBytes(width) : 4 * width));
  if (isGated) linears.gate(rowCount, { ...product, y, scales: card.put(scales) });
  else linears.multiply(rowCount, { ...product, y });
  const both = isShared ? Float32Array.of(...x, ...x) : x;
  const sums = multiply(plain, everyRow, both, shape);
  const scaleOf = (row: number) => (fold > 0 && row >= fold ? 1 : (scales[row] as number));
  const expected = (isGated ? gatedRows(sums, scaleOf, outSize) : sums).map((v) => v / 2);
  const found = isGated
    ? card.readActivations(y, everyRow.length, width, "f16", rowCount, spread)
    : card.floats(y, everyRow.length * width);
  return relativeError(found, expected);
}

function tilesCheck(stored: RowFormat, shape: Shape, isGated = false, isShared = false): KernelCheck {
  const numbers =
    stored.kind === "blocks"
      ? { bits: stored.bits, blockSize: stored.blockSize }
      : stored.kind === "e4m3"
        ? ("e4m3" as const)
        : ("f16" as const);
  const { outSize, inSize, rowCount, matrixCount } = shape;
  const kind = `${isGated ? "gated " : ""}tiles of ${nameOf(stored)}${isShared ? ", the last shared" : ""}`;
  return {
    name: `linear ${kind}, ${rowCount} x [${outSize}, ${inSize}] x ${matrixCount}`,
    errorMax: 5e-6,
    run: (card, random) =>
      tiledError(card, random, { stored, format: { kind: "tiles", numbers }, shape, isGated, isShared }),
  };
}

const small = { outSize: 40, inSize: 320, rowCount: 11, matrixCount: 1 };
const odd = { outSize: 24, inSize: 72, rowCount: 3, matrixCount: 1 };
const experts = { outSize: 20, inSize: 64, rowCount: 30, matrixCount: 3 };
const int4 = { kind: "blocks", bits: 4, blockSize: 128 } as const;

/** Products of rows and matrices, in each format of weights. */
export const linearChecks: readonly KernelCheck[] = [
  rowsCheck({ kind: "f32" }, small),
  rowsCheck({ kind: "bf16" }, small),
  rowsCheck({ kind: "e4m3" }, small),
  rowsCheck({ kind: "blocks", bits: 4, blockSize: 32 }, small),
  rowsCheck({ kind: "blocks", bits: 8, blockSize: 64 }, odd),
  rowsCheck({ kind: "e4m3" }, experts),
  tilesCheck({ kind: "bf16" }, small),
  tilesCheck({ kind: "e4m3" }, odd),
  tilesCheck({ kind: "blocks", bits: 4, blockSize: 32 }, small),
  tilesCheck({ kind: "blocks", bits: 8, blockSize: 64 }, odd),
  tilesCheck(int4, { outSize: 64, inSize: 1280, rowCount: 2, matrixCount: 1 }),
  tilesCheck(int4, { outSize: 96, inSize: 256, rowCount: 13, matrixCount: 4 }, true, true),
  tilesCheck(int4, { outSize: 40, inSize: 256, rowCount: 13, matrixCount: 4 }, false, true),
  tilesCheck(int4, { outSize: 160, inSize: 256, rowCount: 19, matrixCount: 4 }, true),
  tilesCheck(int4, { outSize: 72, inSize: 384, rowCount: 30, matrixCount: 7 }),
  tilesCheck(int4, { outSize: 96, inSize: 256, rowCount: 1, matrixCount: 5 }, true, true),
  tilesCheck(int4, { outSize: 72, inSize: 384, rowCount: 1, matrixCount: 5 }, false, true),
  tilesCheck({ kind: "bf16" }, { outSize: 64, inSize: 128, rowCount: 30, matrixCount: 1 }, true),
  tilesCheck({ kind: "bf16" }, { outSize: 72, inSize: 640, rowCount: 33, matrixCount: 1 }),
  tilesCheck({ kind: "e4m3" }, { outSize: 160, inSize: 136, rowCount: 130, matrixCount: 1 }, true),
  tilesCheck(int4, { outSize: 64, inSize: 256, rowCount: 150, matrixCount: 2 }, true, true),
  tilesCheck({ kind: "blocks", bits: 8, blockSize: 32 }, { outSize: 32, inSize: 192, rowCount: 70, matrixCount: 1 }),
  tilesCheck(int4, { outSize: 160, inSize: 1152, rowCount: 40, matrixCount: 1 }, true),
  tilesCheck({ kind: "blocks", bits: 4, blockSize: 32 }, { outSize: 72, inSize: 1280, rowCount: 20, matrixCount: 1 }),
  tilesCheck({ kind: "e4m3" }, { outSize: 136, inSize: 128, rowCount: 64, matrixCount: 1 }),
  tilesCheck(int4, { outSize: 288, inSize: 640, rowCount: 128, matrixCount: 1 }),
  tilesCheck({ kind: "bf16" }, { outSize: 72, inSize: 384, rowCount: 140, matrixCount: 1 }),
  tilesCheck({ kind: "blocks", bits: 8, blockSize: 64 }, { outSize: 40, inSize: 256, rowCount: 150, matrixCount: 3 }),
  tilesCheck({ kind: "blocks", bits: 4, blockSize: 32 }, { outSize: 40, inSize: 192, rowCount: 70, matrixCount: 5 }),
];
