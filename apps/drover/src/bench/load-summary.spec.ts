import { expect, test } from "vitest";
import { middleOf, spread, summarize } from "./load-summary.ts";
import type { Sample } from "./load-target.ts";
import { serviceLevel } from "./service-level.ts";

/** Begins at `beginMs`; the first token after 100 ms, three more 10 ms apart, ends with the last. */
const answered = (beginMs: number): Sample => ({
  beginMs,
  endMs: beginMs + 130,
  pieceMs: [100, 110, 120, 130].map((ms) => beginMs + ms),
  promptTokens: 8,
  outputTokens: 4,
});

test("rates are over the time from the first beginning to the last end, and failures are no answers", () => {
  const failed: Sample = { ...answered(0), pieceMs: [], outputTokens: 0, error: "status 429" };
  const summary = summarize([answered(1000), answered(1870), { ...failed, beginMs: 1500, endMs: 1501 }], {});
  expect(summary).toMatchObject({ requests: 3, failed: 1, seconds: 1, outputTokens: 8, promptTokens: 16 });
  expect(summary.failures).toEqual([{ reason: "status 429", count: 1 }]);
  expect(summary).toMatchObject({ outputTokensPerSecond: 8, requestsPerSecond: 2, goodPerSecond: 2 });
  expect(summary.good).toBeCloseTo(2 / 3);
  expect(summary.ttft.p50).toBe(100);
  expect(summary.tpot).toEqual({ mean: 10, p50: 10, p90: 10, p99: 10, max: 10 });
  expect(summary.itl.max).toBe(10);
  expect(summary.e2e.p50).toBe(130);
});

test.each([
  ["ttft:100", 1],
  ["ttft:99.5", 0],
  ["tpot:10", 1],
  ["tpot:9", 0],
  ["e2e:129", 0],
])("%s is kept by a share of %d", (entry, good) => {
  expect(summarize([answered(0)], serviceLevel([entry])).good).toBe(good);
});

test("a service level that is none is refused", () => {
  for (const wrong of ["ttft", "ttft:", "ttft:-1", "itl:5", "ttft:0"])
    expect(() => serviceLevel([wrong])).toThrow(/--goodput/);
});

test("a percentile is the least value that so many are at most", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(spread(values)).toMatchObject({ p50: 50, p90: 90, p99: 99, max: 100, mean: 50.5 });
  expect(spread([3]).p99).toBe(3);
  expect(spread([]).p50).toBeNaN();
});

test("the middle of rounds is taken number by number", () => {
  const rounds = [1, 3, 2].map((count) =>
    summarize(
      Array.from({ length: count }, () => answered(0)),
      {},
    ),
  );
  expect(middleOf(rounds)).toMatchObject({ requests: 6, failed: 0, outputTokens: 8 });
});
