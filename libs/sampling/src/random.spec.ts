import { expect, test } from "vitest";
import { philox4x32 } from "./philox.ts";
import { uniform } from "./random.ts";
import { CHI_SQUARE_LIMIT, chiSquare } from "./testing/chi-square.ts";

test("Philox gives the published known answers", () => {
  const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, "0")).join(" ");
  const ones = 0xffffffff;
  expect(hex(philox4x32([0, 0, 0, 0], [0, 0]))).toBe("6627e8d5 e169c58d bc57ac4c 9b00dbd8");
  expect(hex(philox4x32([ones, ones, ones, ones], [ones, ones]))).toBe("408f276d 41c83b0e a20bc7c6 6d5451fd");
  const pi = hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]));
  expect(pi).toBe("d16cfe09 94fdcceb 5001e420 24126ea1");
});

test("draws are uniform over seeds, over choices and over indices", () => {
  const drawn = [
    (i: number) => uniform(i, 0, 0),
    (i: number) => uniform(2 ** 40 * (i % 8192) + i, 1, 5),
    (i: number) => uniform(12_345, i, 0),
    (i: number) => uniform(12_345, 0, i),
  ];
  for (const at of drawn) {
    const bins = Array<number>(16).fill(0);
    for (let i = 0; i < 20_000; i++) {
      const value = at(i);
      expect(value >= 0 && value < 1).toBe(true);
      const bin = Math.floor(value * 16);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    expect(chiSquare(bins, Array(16).fill(1 / 16))).toBeLessThan(CHI_SQUARE_LIMIT[15]);
  }
});

test("neighbouring draws are independent", () => {
  const bins = Array<number>(16).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const bin = 4 * Math.floor(uniform(3, 0, i) * 4) + Math.floor(uniform(3, 0, i + 1) * 4);
    bins[bin] = (bins[bin] ?? 0) + 1;
  }
  expect(chiSquare(bins, Array(16).fill(1 / 16))).toBeLessThan(CHI_SQUARE_LIMIT[15]);
});

test("every bit of seed, choice and index makes another draw", () => {
  const draws = new Set([uniform(0, 0, 0)]);
  for (let bit = 0; bit < 53; bit++) draws.add(uniform(2 ** bit, 0, 0));
  for (let bit = 0; bit < 31; bit++) {
    draws.add(uniform(0, 2 ** bit, 0));
    draws.add(uniform(0, 0, 2 ** bit));
  }
  expect(draws.size).toBe(1 + 53 + 31 + 31);
  expect(uniform(2 ** 53 - 1, 4, 1000)).toBe(uniform(2 ** 53 - 1, 4, 1000));
});
