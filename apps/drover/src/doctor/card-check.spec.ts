import type { CardsReport } from "@drover/cuda";
import { expect, test } from "vitest";
import { judgeCards } from "./card-check.ts";

const GIB = 2 ** 30;
const facts = {
  name: "NVIDIA H200",
  id: "ab".repeat(16),
  byteCount: 140 * GIB,
  architecture: 90,
  multiprocessorCount: 132,
};
const well: Extract<CardsReport, { kind: "driver" }> = {
  kind: "driver",
  cudaVersion: "13.0",
  compiler: { version: "13.0" },
  cards: [0, 1].map((ordinal) => ({ ordinal, facts, freeBytes: 139 * GIB })),
  apart: [],
};
const troubles = (report: CardsReport, hasDevice = true, needed?: number) =>
  judgeCards(report, hasDevice, needed)
    .filter(({ state }) => state !== "ok")
    .map(({ check, state, advice }) => ({ check, state, advice: advice ?? "" }));

test("a machine without a card and a driver is well, and one with a card and no driver is not", () => {
  const none: CardsReport = { kind: "no driver", fault: "NVIDIA's driver cannot be loaded" };
  expect(troubles(none, false)).toEqual([]);
  expect(troubles(none)).toEqual([
    { check: "driver", state: "fail", advice: expect.stringMatching(/runtimeClassName/) },
  ]);
});

test("cards that work are well, and each thing that is not is told with what to do", () => {
  expect(troubles(well)).toEqual([]);
  expect(troubles({ ...well, cards: [] })).toMatchObject([{ check: "NVIDIA cards", state: "fail" }]);
  expect(troubles({ ...well, compiler: { fault: "cannot be loaded" } })).toEqual([
    { check: "compiler", state: "fail", advice: expect.stringMatching(/LD_LIBRARY_PATH/) },
  ]);
  expect(troubles({ ...well, cards: [{ ordinal: 0, fault: "CUDA: cuDevicePrimaryCtxRetain" }] })).toMatchObject([
    { check: "cuda:0", state: "fail" },
  ]);
  expect(troubles({ ...well, cards: [{ ordinal: 0, facts, freeBytes: 20 * GIB }] })).toMatchObject([
    { check: "cuda:0", state: "warn" },
  ]);
  const old = { ordinal: 0, facts: { ...facts, architecture: 75 }, freeBytes: 139 * GIB };
  expect(troubles({ ...well, cards: [old] })).toMatchObject([{ check: "cuda:0", state: "fail" }]);
  expect(troubles({ ...well, apart: [[0, 1]] })).toMatchObject([{ check: "peer access", state: "warn" }]);
  expect(troubles(well, true, 202 * GIB)).toEqual([
    { check: "model on a card", state: "warn", advice: expect.stringMatching(/--quantize int4/) },
  ]);
});
