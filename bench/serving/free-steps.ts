import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread } from "node:worker_threads";
import type { EntryResult, PendingStep, Step, StepEntry, StepRunner } from "@drover/core";

/**
 * Loaded into every process of a cluster before its main: an attention worker's steps then compute nothing and take as many milliseconds as
 * FREE_STEP_MS says, in which its thread sleeps, so that what is left of its CPU is all that it does beside the arithmetic. Its texts mean nothing.
 */
const stepMs = Number(process.env.FREE_STEP_MS);
/** Where the letters begin in every vocabulary of bytes in their usual order. */
const [FIRST_ID, ID_COUNT] = [64, 26];

/** Every row counts, and where a token is drawn it is a letter. */
function answer({ tokenIds, draw }: StepEntry): EntryResult {
  return {
    kind: "computed",
    rowCount: tokenIds.length,
    tokens: draw === undefined ? [] : [{ tokenId: FIRST_ID + (draw.index % ID_COUNT), logprobs: undefined }],
    prompt: [],
    experts: new Uint16Array(0),
  };
}

class FreeRunner implements StepRunner {
  readonly hiddenSize: number;
  readonly usable = true;

  constructor(hiddenSize: number) {
    this.hiddenSize = hiddenSize;
  }

  submit({ entries }: Step): PendingStep {
    const result = async () => {
      await sleep(stepMs);
      return { entries: entries.map(answer), times: { computeMs: stepMs, exchangeMs: 0, totalMs: stepMs } };
    };
    return { result };
  }
}

if (isMainThread && Number.isFinite(stepMs) && process.argv[1]?.includes("apps/worker/") === true) {
  const { TextModel } = await import("@drover/onnx");
  const load = async ({ hiddenSize }: Readonly<{ hiddenSize: number }>) => new FreeRunner(hiddenSize);
  Object.assign(TextModel, { load });
}
