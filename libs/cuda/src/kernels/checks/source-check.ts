import { type NumberForm, quantizeLinear } from "@drover/checkpoint";
import { at } from "@drover/core";
import type { SourceRows } from "../source-kernels.ts";
import { type CheckedCard, toBf16 } from "./checked-card.ts";
import type { KernelCheck, Random } from "./kernel-check.ts";

/** Bits of a number, and the number that bits stand for. */
type Coded = Readonly<{ bits: number; numberOf: (code: number) => number }>;

const floatOf = (word: number) => new Float32Array(Uint32Array.of(word).buffer)[0] as number;
/** A float of few bits by its definition: sign, `exponent` bits of exponent with this bias, `fraction` bits of fraction. */
function smallFloat(code: number, exponentBits: number, fractionBits: number, bias: number): number {
  const exponent = (code >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (code & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  const size = exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
  return (code >> (exponentBits + fractionBits)) & 1 ? -size : size;
}

const CODES: Readonly<Record<NumberForm, Coded>> = {
  F32: { bits: 32, numberOf: floatOf },
  BF16: { bits: 16, numberOf: (code) => floatOf(code << 16) },
  F16: { bits: 16, numberOf: (code) => smallFloat(code, 5, 10, 15) },
  F8_E4M3: { bits: 8, numberOf: (code) => smallFloat(code, 4, 3, 7) },
  E2M1: { bits: 4, numberOf: (code) => smallFloat(code, 2, 1, 1) },
  I8: { bits: 8, numberOf: (code) => (code << 24) >> 24 },
  U8: { bits: 8, numberOf: (code) => code - 128 },
  U4: { bits: 4, numberOf: (code) => code - 8 },
};

type Shape = Readonly<{ rowCount: number; inSize: number; groupSize: number }>;

/** Codes of numbers that are finite, of very different sizes; some blocks are zero. */
function codesOf(random: Random, form: NumberForm, count: number): Uint32Array {
  const floats = random.floats(count);
  const zeros = (i: number) => Math.floor(i / 32) % 7 === 5;
  const spread = floats.map((value, i) => (zeros(i) ? 0 : value ** 3 * 10 ** ((i >> 6) % 4)));
  if (form === "F32") return new Uint32Array(spread.buffer);
  if (form === "BF16") return Uint32Array.from(toBf16(spread));
  if (form === "F16") return Uint32Array.from(spread, () => random.integer(2 ** 16) & 0xbfff);
  const { bits } = CODES[form];
  return Uint32Array.from(spread, () => random.integer(2 ** bits)).map((code) =>
    form === "F8_E4M3" && (code & 127) === 127 ? 1 : code,
  );
}

/** Rows of a form on the card, filled up to whole words, and what they stand for, rounded once. */
function sourceOf(card: CheckedCard, random: Random, form: NumberForm, shape: Shape) {
  const { rowCount, inSize, groupSize } = shape;
  const { bits, numberOf } = CODES[form];
  const lineBytes = Math.ceil((inSize * bits) / 32) * 4;
  const codes = codesOf(random, form, rowCount * inSize);
  const bytes = new Uint8Array(rowCount * lineBytes);
  for (const [i, code] of codes.entries()) {
    const place = Math.floor(i / inSize) * lineBytes * 8 + (i % inSize) * bits;
    for (let byte = 0; byte < Math.max(1, bits / 8); byte++)
      bytes[(place >> 3) + byte] =
        (bytes[(place >> 3) + byte] as number) | (((code >>> (8 * byte)) & 255) << (place & 7));
  }
  const groups = groupSize === 0 ? 0 : Math.ceil(inSize / groupSize);
  const scales = random.floats(rowCount * groups, 0.01);
  const weights = Float32Array.from(codes, (code, i) => {
    const group = Math.floor(i / inSize) * groups + Math.floor((i % inSize) / groupSize);
    return groups === 0 ? numberOf(code) : numberOf(code) * at(scales, group);
  });
  const placed = { source: card.put(bytes), scales: groups === 0 ? 0n : card.put(scales) };
  const rows: SourceRows = { form, ...placed, groupSize, rowCount, inSize, lineBytes };
  return { rows, weights };
}

function differences(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let count = 0;
  for (let i = 0; i < expected.length; i++) if (!Object.is((found[i] ?? 0) + 0, (expected[i] ?? 0) + 0)) count += 1;
  return count;
}

function floatsCheck(form: NumberForm, shape: Shape): KernelCheck {
  return {
    name: `floats of ${form}, ${shape.rowCount} x ${shape.inSize} in groups of ${shape.groupSize}: numbers that differ`,
    errorMax: 0,
    run: (card, random) => {
      const { rows, weights } = sourceOf(card, random, form, shape);
      const out = card.room(4 * weights.length);
      card.linears("f32").sources.floats(rows, out);
      return differences(card.floats(out, weights.length), weights);
    },
  };
}

function quantizeCheck(form: NumberForm, shape: Shape, bits: 4 | 8, blockSize: 32 | 64 | 128): KernelCheck {
  const { rowCount, inSize, groupSize } = shape;
  return {
    name: `int${bits} of ${blockSize} from ${form}, ${rowCount} x ${inSize} in groups of ${groupSize}: bytes and scales that differ`,
    errorMax: 0,
    run: (card, random) => {
      const { rows, weights } = sourceOf(card, random, form, shape);
      const expected = quantizeLinear(weights, rowCount, inSize, { bits, blockSize });
      const out = { packed: card.room(expected.packed.length), scales: card.room(4 * expected.scales.length) };
      card.linears("f32").sources.quantize(rows, { bits, blockSize }, out);
      const scales = differences(card.floats(out.scales, expected.scales.length), expected.scales);
      return scales + differences(card.bytes(out.packed, expected.packed.length), expected.packed);
    },
  };
}

function turnCheck(rows: number, columns: number, elementBytes: 1 | 2): KernelCheck {
  return {
    name: `turned, ${rows} x ${columns} of ${elementBytes} bytes: bytes that differ`,
    errorMax: 0,
    run: (card, random) => {
      const source = Uint8Array.from({ length: rows * columns * elementBytes }, () => random.integer(256));
      const out = card.room(source.length);
      card.linears("f32").sources.turn(card.put(source), out, rows, columns, elementBytes);
      const expected = Uint8Array.from(source, (_, i) => {
        const [element, byte] = [Math.floor(i / elementBytes), i % elementBytes];
        const [row, column] = [element % rows, Math.floor(element / rows)];
        return at(source, (row * columns + column) * elementBytes + byte);
      });
      return differences(card.bytes(out, source.length), expected);
    },
  };
}

const plain = { rowCount: 5, inSize: 328, groupSize: 0 };
const outputs = { rowCount: 3, inSize: 200, groupSize: 200 };

/** What brings stored numbers into a form that is computed with: to the bit what the CPU makes of them. */
export const sourceChecks: readonly KernelCheck[] = [
  quantizeCheck("BF16", plain, 4, 128),
  quantizeCheck("F32", plain, 4, 64),
  quantizeCheck("F8_E4M3", { ...outputs, groupSize: 128 }, 8, 64),
  quantizeCheck("U4", { ...plain, groupSize: 64 }, 4, 128),
  quantizeCheck("U8", { ...plain, groupSize: 128 }, 8, 32),
  floatsCheck("F16", plain),
  floatsCheck("E2M1", { rowCount: 4, inSize: 176, groupSize: 16 }),
  floatsCheck("I8", outputs),
  turnCheck(40, 70, 1),
  turnCheck(33, 64, 2),
];
