import { expect, test } from "vitest";
import { ropeFrequencies, ropeTables } from "./rope.ts";

const scout = { factor: 16, lowFreqFactor: 1, highFreqFactor: 1, originalMaxPositionEmbeddings: 8192 };
const plain = { headDim: 128, ropeTheta: 500_000, ropeScaling: null };

test("unscaled frequencies fall geometrically from 1 to theta^-(1 - 2/d)", () => {
  const frequencies = ropeFrequencies(plain);
  expect(frequencies).toHaveLength(64);
  expect(frequencies[0]).toBe(1);
  for (const [j, frequency] of frequencies.entries())
    expect(frequency).toBeCloseTo(Math.exp((-2 * j * Math.log(500_000)) / 128), 14);
});

test("Scout's scaling divides pairs 35 to 63 by its factor and keeps the others", () => {
  const frequencies = ropeFrequencies({ ...plain, ropeScaling: scout });
  const unscaled = ropeFrequencies(plain);
  for (const [j, frequency] of frequencies.entries())
    expect(frequency).toBe((unscaled[j] ?? 0) / (j >= 35 ? scout.factor : 1));
});

test("between the two wavelengths the frequency goes over smoothly", () => {
  const scaling = { ...scout, factor: 8, highFreqFactor: 4 };
  const scaled = ropeFrequencies({ ...plain, ropeScaling: scaling });
  const bands = { kept: 0, between: 0, divided: 0 };
  for (const [j, frequency] of ropeFrequencies(plain).entries()) {
    // How many turns the pair makes in the original context: 4 and more is kept, 1 and less divided.
    const turns = (frequency * 8192) / (2 * Math.PI);
    const weight = Math.min(1, Math.max(0, (turns - 1) / 3));
    expect(scaled[j]).toBeCloseTo(frequency * (weight + (1 - weight) / 8), 15);
    bands[weight === 1 ? "kept" : weight === 0 ? "divided" : "between"] += 1;
  }
  expect(Math.min(bands.kept, bands.between, bands.divided)).toBeGreaterThan(0);
});

test("equal factors never divide by their zero difference, also at the exact wavelength", () => {
  const exact = { headDim: 2, ropeTheta: 10, ropeScaling: { ...scout, originalMaxPositionEmbeddings: 2 * Math.PI } };
  expect(ropeFrequencies(exact)[0]).toBe(1);
});

test("tables are the cosine and sine of position times frequency, rounded once", () => {
  const { cos, sin } = ropeTables({ headDim: 8, ropeTheta: 500_000, ropeScaling: null }, 9000);
  for (const position of [0, 1, 255, 8191, 8999]) {
    for (let j = 0; j < 4; j++) {
      const angle = position * 500_000 ** (-j / 4);
      expect(cos[position * 4 + j]).toBe(Math.fround(Math.cos(angle)));
      expect(sin[position * 4 + j]).toBe(Math.fround(Math.sin(angle)));
    }
  }
});
