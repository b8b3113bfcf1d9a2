import { expect, it } from "vitest";
import { PROMPT_TOKEN_DEADLINE_MS, REQUEST_DEADLINE_MS } from "../limits.ts";
import { REQUEST_SECONDS, TOKEN_SECONDS } from "./router-series.ts";

/** Llama 4 Scout's. */
const CONTEXT_TOKENS_MAX = 10 * 2 ** 20;

it("what a request takes is told up to its longest deadline, twenty minutes and fifteen hours apart from their neighbours", () => {
  const deadlineSeconds = (REQUEST_DEADLINE_MS + PROMPT_TOKEN_DEADLINE_MS * CONTEXT_TOKENS_MAX) / 1000;
  for (const buckets of [REQUEST_SECONDS, TOKEN_SECONDS]) {
    expect(buckets.at(-1)).toBeGreaterThanOrEqual(deadlineSeconds);
    expect(buckets).toEqual([...new Set(buckets)].sort((a, b) => a - b));
  }
  // Twenty minutes and fifteen hours have a bucket of their own.
  for (const seconds of [1200, 15 * 3600]) {
    const above = REQUEST_SECONDS.findIndex((bucket) => bucket >= seconds);
    expect(REQUEST_SECONDS[above]).toBeLessThanOrEqual(2 * Number(REQUEST_SECONDS[above - 1]));
  }
});
