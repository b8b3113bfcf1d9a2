import { expect, test } from "vitest";
import { REPORTED_PROMPTS_MAX } from "../../limits.ts";
import { predictedLoad } from "./predicted-load.ts";

const costs = { promptRowMs: 1, contextTokenMs: 0, decodeMs: 2, decodeRowMs: 0.5, stepMsMax: 18 };
const engineWith = (waiting: number[]) => ({ costs: () => costs, waitingPromptMs: () => waiting });

test("prompts are named one by one, and of very many the last number holds all that would follow", () => {
  expect(predictedLoad(engineWith([1, 2]))).toEqual({ costs, pendingPromptMs: [1, 2] });
  const count = REPORTED_PROMPTS_MAX;
  const { pendingPromptMs } = predictedLoad(engineWith(Array.from({ length: count + 2 }, (_, i) => i)));
  expect(pendingPromptMs).toHaveLength(count);
  expect(pendingPromptMs?.slice(-2)).toEqual([count - 2, count - 1 + count + (count + 1)]);
});
