import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { madePlan, recordedPlan } from "./load-plan.ts";
import { recordedLoad } from "./recorded-load.ts";

const scale = { wordTokens: 1, fixedTokens: 0 };
const settings = {
  ...{ count: 6, input: { min: 40, max: 40 }, output: { min: 2, max: 9 } },
  ...{ prefixTokens: 10, prefixGroups: 2, scale },
};
const level = { kind: "concurrency", inFlight: 2 } as const;
const beginning = (text: string) => text.split(" ").slice(0, 10).join(" ");

test("prompts have their length, those of a group the same beginning, and no two the same words", () => {
  const plan = madePlan(level, settings, 5);
  const texts = plan.beginMs.map((_, i) => plan.prompt(i).text);
  expect(texts.map((text) => text.split(" ").length)).toEqual(Array(6).fill(40));
  expect(new Set(texts).size).toBe(6);
  expect(new Set(texts.map(beginning)).size).toBe(2);
  expect(beginning(texts[0] ?? "")).toBe(beginning(texts[2] ?? ""));
  expect(texts).toEqual(plan.beginMs.map((_, i) => madePlan(level, settings, 5).prompt(i).text));
});

test("another seed has other words but the groups' beginnings", () => {
  const [one, other] = [5, 6].map((seed) => madePlan(level, settings, seed).prompt(0).text);
  expect(one).not.toBe(other);
  expect(beginning(one ?? "")).toBe(beginning(other ?? ""));
});

test("a trace's equal blocks have equal words, its times and lengths are scaled", async () => {
  const folder = mkdtempSync(join(tmpdir(), "drover-trace-"));
  const path = join(folder, "trace.jsonl");
  const line = (timestamp: number, hash_ids: number[]) =>
    `${JSON.stringify({ timestamp, input_length: 200, output_length: 10, hash_ids })}\n`;
  try {
    writeFileSync(path, line(1000, [1, 2]) + line(3000, [1, 3]) + line(4000, [4]));
    const requests = await recordedLoad(path, 2);
    const plan = recordedPlan(requests, { speed: 2, lengths: 0.1, scale }, 0);
    expect(plan.beginMs).toEqual([0, 1000]);
    const [first, second] = [plan.prompt(0), plan.prompt(1)];
    expect(first.outputTokens).toBe(1);
    expect(first.text.split(" ")).toHaveLength(20);
    expect(beginning(first.text)).toBe(beginning(second.text));
    expect(first.text).not.toBe(second.text);
    writeFileSync(path, `${line(0, [1])}{"timestamp": 1}\n`);
    await expect(recordedLoad(path, 5)).rejects.toThrow(/request 2 of .* has no number input_length/);
    writeFileSync(path, "a,b\n");
    await expect(recordedLoad(path, 5)).rejects.toThrow(/is no JSON/);
    writeFileSync(path, "");
    await expect(recordedLoad(path, 5)).rejects.toThrow(/has no request/);
    await expect(recordedLoad(join(folder, "none"), 5)).rejects.toThrow(/cannot be read/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
