import { greedyParams, requestId, type TokenEvent } from "@drover/core";
import type { GenerationQuery, InferenceRequest, Output } from "@drover/openai";
import { expect, it } from "vitest";
import { ANSWER_STEP_BYTES, ANSWER_TOKENS_UNASKED } from "../limits.ts";
import { memoryBudgets } from "../memory/memory-budgets.ts";
import { answerBytes } from "../memory/request-cost.ts";
import { RequestMemory } from "../memory/request-memory.ts";
import { tinyModel } from "../testing/tiny-model.ts";
import { Generation } from "./generation.ts";

const request: InferenceRequest = {
  ...{ promptTokenIds: new Uint32Array(4), images: [], echoText: undefined, stop: [] },
  ...{ toolCalls: undefined, constraint: undefined, shown: undefined },
  sampling: { ...greedyParams(100_000), n: 2 },
};
const query = (asked: number | undefined) =>
  ({
    budget: { asked, field: "max_tokens", unasked: 100_000 },
    reply: { stream: false },
    prompt: { field: "prompt" },
  }) as unknown as GenerationQuery;

const token = (choice: number, index: number): TokenEvent => ({
  ...{ kind: "token", choice, index, tokenId: 97, logprob: 0, top: [], experts: [] as unknown as Uint16Array },
  finish: undefined,
});

async function outputsOf(generation: Generation): Promise<Output[]> {
  const all: Output[] = [];
  for await (const outputs of generation.outputs()) all.push(...outputs);
  return all;
}

it("a choice ends with `length` where its router has no room for more of it, behind what was reserved, and nothing that came is lost", async () => {
  const budgets = memoryBudgets({ answers: answerBytes(request, query(undefined)) + ANSWER_STEP_BYTES });
  using memory = new RequestMemory(budgets);
  memory.keep(request, query(undefined));
  const { tokenizer } = tinyModel();
  const generation = new Generation(requestId("r"), request, { tokenizer, deadlineMs: 1, memory });
  const read = outputsOf(generation);
  let count = 0;
  for (; !generation.state.finished; count++) {
    for (const choice of [0, 1]) {
      expect(generation.takeToken(token(choice, count))).toBe(true);
    }
    if (count % 500 === 0) await Promise.resolve();
  }
  expect(count).toBeGreaterThan(ANSWER_TOKENS_UNASKED);
  generation.complete(0);
  const outputs = await read;
  for (const choice of [0, 1]) {
    const own = outputs.filter((output) => output.kind === "token" && output.choice === choice);
    expect(own.at(-1)).toMatchObject({ finish: "length" });
    expect(own.filter((output) => output.kind === "token" && output.finish !== undefined)).not.toHaveLength(0);
    expect(own).toHaveLength(count);
  }
});
