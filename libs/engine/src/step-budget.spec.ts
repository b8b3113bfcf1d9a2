import { DECODE_STRETCH, STEP_MS_MAX, StepCost } from "@drover/batching";
import { kvGeometry } from "@drover/kv";
import { expect, test } from "vitest";
import { Calibration } from "./calibration.ts";
import { CALIBRATION_MS } from "./limits.ts";
import { drainFake, type FakeEngine, fakeEngine, taskOfLength } from "./testing/fake-engine.ts";
import { type FakeCost, FakeRunner } from "./testing/fake-runner.ts";
import { FakeSequences } from "./testing/fake-sequences.ts";

const CHUNK = 256;
const geometry = kvGeometry(
  { isGlobalLayer: [false, false, false, true], chunkSize: CHUNK, kvHeadCount: 2, headDim: 32 },
  "f32",
);
const kvBytesMax = 2 ** 31;

/** A machine that is `scale` times as slow as one of these coefficients. */
const machine = (scale: number): FakeCost => {
  const truth = new StepCost(CHUNK, {
    step: 1.5 * scale,
    row: 0.15 * scale,
    globalPair: 4e-5 * scale,
    globalRead: 1e-4 * scale,
    localPair: 1e-5 * scale,
    prompt: 0.2 * scale,
    decode: 0.2 * scale,
  });
  return (entries) => truth.stepMs(entries);
};

/** Runs until nothing is left to measure, as `run` does while no request is here. */
async function calibrate(sequences: FakeSequences, runner: FakeRunner, cost: StepCost): Promise<number> {
  const calibration = new Calibration({ sequences, runner, geometry, cost, clock: runner.clock, prefillRowsMax: 2048 });
  const began = runner.clock.monotonic();
  let more = true;
  while (more) more = await calibration.next();
  calibration.end();
  return runner.clock.monotonic() - began;
}

test("calibration predicts steps that it did not measure, and frees its sequences", async () => {
  const sequences = new FakeSequences(geometry, kvBytesMax);
  const cost = new StepCost(CHUNK);
  await calibrate(sequences, new FakeRunner(machine(1)), cost);
  expect(sequences.openCount).toBe(0);
  const deep = [{ position: 30_000, rowCount: 200 }];
  expect(Math.abs(cost.stepMs(deep) / machine(1)(deep) - 1)).toBeLessThan(0.2);
  const decoding = Array.from({ length: 20 }, () => ({ position: 100, rowCount: 1 }));
  expect(Math.abs(cost.stepMs(decoding) / machine(1)(decoding) - 1)).toBeLessThan(0.2);
});

test("calibration takes hardly longer than its limit on a machine on which all it wants would take minutes", async () => {
  const cost = new StepCost(CHUNK);
  expect(await calibrate(new FakeSequences(geometry, kvBytesMax), new FakeRunner(machine(200)), cost)).toBeLessThan(
    2 * CALIBRATION_MS,
  );
  const decoding = Array.from({ length: 4 }, () => ({ position: 100, rowCount: 1 }));
  const ratio = cost.stepMs(decoding) / machine(200)(decoding);
  expect(ratio).toBeGreaterThan(0.5);
  expect(ratio).toBeLessThan(2);
});

test("calibration leaves three quarters of a small KV alone, and is content with none at all", async () => {
  const small = new FakeSequences(geometry, 300 * 4 * geometry.rowBytes);
  await calibrate(small, new FakeRunner(machine(1)), new StepCost(CHUNK));
  expect(small.kvBytesPeak).toBeLessThanOrEqual(small.kvBytesMax);
  const cost = new StepCost(CHUNK);
  await calibrate(new FakeSequences(geometry, 0), new FakeRunner(machine(1)), cost);
  expect(cost.coefficients).toEqual(new StepCost(CHUNK).coefficients);
});

/** Decodes on eight streams and, once they have gone on for a while, computes a long prompt beside them. Lengths of the steps, milliseconds. */
async function besideEight(local: FakeEngine, promptTokens: number): Promise<number[]> {
  for (let i = 0; i < 8; i++) local.engine.place(taskOfLength(`stream-${i}`, 64, 100_000));
  for (let i = 0; i < 100; i++) await local.engine.step();
  local.steps.length = 0;
  local.engine.place(taskOfLength("long", promptTokens, 1));
  while (local.engine.waitingPromptMs().length > 0) await local.engine.step();
  return local.steps.map(({ measuredMs }) => measuredMs);
}

for (const scale of [0.1, 1, 5]) {
  test(`streams keep their steps beside a long prompt on a machine ${scale} times as slow`, async () => {
    const local = fakeEngine({ geometry, kvBytesMax, cost: machine(scale), prefillRowsMax: 512, stepMs: 20 });
    const lengths = (await besideEight(local, 20_000 / Math.max(1, scale))).sort((a, b) => a - b);
    const decodeMs = machine(scale)(Array.from({ length: 8 }, () => ({ position: 300, rowCount: 1 })));
    const allowed = Math.max(20, DECODE_STRETCH * decodeMs);
    expect(lengths[Math.floor(0.99 * lengths.length)]).toBeLessThan(1.15 * allowed);
    // And the prompt gets what the streams leave: steps are as long as they may be, until it is the rows that are bounded.
    if (scale >= 1) expect(lengths[Math.floor(0.5 * lengths.length)]).toBeGreaterThan(0.8 * allowed);
  });
}

test("calibration of a device that waits for weights predicts steps of few rows and of many within a fifth", async () => {
  const cost = new StepCost(CHUNK, undefined, 16);
  await calibrate(new FakeSequences(geometry, kvBytesMax), new FakeRunner(card, undefined, 16), cost);
  for (const rowCount of [1, 8, 32, 256, 512, 1024, 2000]) {
    const prompt = [{ position: 0, rowCount }];
    expect(Math.abs(cost.stepMs(prompt) / card(prompt) - 1)).toBeLessThan(0.2);
  }
});

test("no step of a prompt alone is longer than the bound, however deep it is", async () => {
  const local = fakeEngine({ geometry, kvBytesMax, cost: machine(1), prefillRowsMax: 512, stepMs: 20 });
  local.engine.place(taskOfLength("deep", 60_000, 1));
  await drainFake(local, 10_000);
  expect(Math.max(...local.steps.map(({ measuredMs }) => measuredMs))).toBeLessThan(STEP_MS_MAX);
  expect(Math.max(...local.steps.map(({ rowCount }) => rowCount))).toBe(512);
});

/** What Scout's layers take on a card, about, by a step's rows: less and less for each further one. */
const CARD_MS: readonly (readonly [rows: number, ms: number])[] = [
  [1, 4.3],
  [8, 10.5],
  [32, 25],
  [64, 35],
  [256, 65],
  [512, 97],
  [1024, 152],
  [2048, 274],
  [65_536, 7900],
];
const card: FakeCost = (entries) => {
  const rows = entries.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const next = CARD_MS.findIndex(([count]) => count >= rows);
  const [[fromRows, fromMs] = [0, 0], [toRows, toMs] = [1, 4.3]] = [CARD_MS[next - 1], CARD_MS[next]];
  const read = entries.reduce((sum, { position, rowCount }) => sum + 5e-6 * position * rowCount, 0);
  return fromMs + ((toMs - fromMs) * (rows - fromRows)) / (toRows - fromRows) + read;
};

test("on a device that waits for weights a prompt alone has steps of a thousand rows, and none is planned beyond the bound", async () => {
  const local = fakeEngine({ geometry, kvBytesMax, cost: card, expertsRead: 16, prefillRowsMax: 2048, stepMs: 18 });
  for (const tokens of [8000, 12_000, 8000, 16_000, 8000, 16_000]) {
    local.steps.length = 0;
    local.engine.place(taskOfLength(`prompt-${local.runner.stepCount}`, tokens, 1));
    await drainFake(local, 100);
  }
  expect(Math.max(...local.steps.map(({ predictedMs }) => predictedMs))).toBeLessThan(STEP_MS_MAX);
  const lengths = local.steps.map(({ measuredMs }) => measuredMs).sort((a, b) => a - b);
  expect(lengths[Math.floor(lengths.length / 2)]).toBeLessThan(STEP_MS_MAX);
  const rows = local.steps.map(({ rowCount }) => rowCount).sort((a, b) => a - b);
  expect(rows[Math.floor(rows.length / 2)]).toBeGreaterThan(1000);
});

test("on a device that waits for weights streams keep their steps beside a prompt, and the prompt's rows are what is left", async () => {
  const local = fakeEngine({ geometry, kvBytesMax, cost: card, expertsRead: 16, prefillRowsMax: 2048, stepMs: 18 });
  const lengths = (await besideEight(local, 8000)).sort((a, b) => a - b);
  const allowed = DECODE_STRETCH * card(Array.from({ length: 8 }, () => ({ position: 300, rowCount: 1 })));
  expect(lengths[Math.floor(0.99 * lengths.length)]).toBeLessThan(1.35 * allowed);
  expect(lengths[Math.floor(0.5 * lengths.length)]).toBeGreaterThan(0.8 * allowed);
});

test("what is told to placement is nothing before anything is measured, and then what prompts take", async () => {
  const local = fakeEngine({ geometry, kvBytesMax, cost: machine(1), prefillRowsMax: 512, stepMs: 20 });
  expect(Object.values(local.engine.costs())).toEqual([0, 0, 0, 0, 0]);
  local.engine.place(taskOfLength("deep", 20_000, 1));
  await drainFake(local, 10_000);
  const tookMs = local.steps.reduce((sum, { measuredMs }) => sum + measuredMs, 0);
  const { promptRowMs, contextTokenMs } = local.engine.costs();
  const toldMs = 20_000 * promptRowMs + (20_000 ** 2 / 2) * contextTokenMs;
  expect(toldMs / tookMs).toBeGreaterThan(0.7);
  expect(toldMs / tookMs).toBeLessThan(1.4);
  local.engine.place(taskOfLength("long", 9000, 1));
  local.engine.place(taskOfLength("short", 90, 1));
  const [short = 0, long = 0] = local.engine.waitingPromptMs();
  expect(long).toBeGreaterThan(50 * short);
});

test("a machine that becomes three times as slow is noticed", async () => {
  let slow = 1;
  const cost: FakeCost = (entries) => slow * machine(1)(entries);
  const local = fakeEngine({ geometry, kvBytesMax, cost, prefillRowsMax: 512, stepMs: 20 });
  await besideEight(local, 5_000);
  slow = 3;
  local.engine.place(taskOfLength("later", 20_000, 1));
  for (let i = 0; i < 60; i++) await local.engine.step();
  local.steps.length = 0;
  for (let i = 0; i < 50; i++) await local.engine.step();
  for (const { predictedMs, measuredMs } of local.steps)
    expect(Math.abs(measuredMs / predictedMs - 1)).toBeLessThan(0.25);
});
