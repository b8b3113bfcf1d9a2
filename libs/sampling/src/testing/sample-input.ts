import { greedyParams, type SamplingParams } from "@drover/core";
import fc from "fast-check";
import type { SampleInput } from "../step.ts";
import { TokenHistory } from "../token-history.ts";

type Given = Readonly<{
  logits?: readonly number[];
  params?: Partial<SamplingParams>;
  prompt?: readonly number[];
  output?: readonly number[];
  index?: number;
  allowed?: Uint32Array | undefined;
}>;

/** An input that is plain greedy but for what is given. */
export function sampleInput({ logits = [], params, prompt = [], output = [], index = 0, allowed }: Given): SampleInput {
  const history = new TokenHistory(prompt);
  for (const id of output) history.append(id);
  return {
    logits: Float32Array.from(logits),
    params: { ...greedyParams(16), ...params },
    history,
    choice: 0,
    index,
    allowed,
  };
}

/** Rows of finite logits, of which many are equal. */
export const rows = fc.array(fc.oneof(fc.integer({ min: -8, max: 8 }), fc.float({ min: -30, max: 30, noNaN: true })), {
  minLength: 1,
  maxLength: 80,
});

/** Ids within such rows and somewhat beyond. */
export const tokenIds = fc.array(fc.nat(100), { maxLength: 8 });
