import type { Tokenizer } from "@drover/tokenizer";
import { type Static, Type } from "typebox";
import type { TokenLogprob } from "../text/output.ts";
import { IMPOSSIBLE } from "./logprobs.ts";
import { LongList } from "./long-list.ts";
import type { ReplyFrame } from "./reply-frame.ts";

const Entry = Type.Object({
  logprob: Type.Number({ description: "Of the raw logits; -9999 for what cannot happen." }),
  rank: Type.Union([Type.Integer(), Type.Null()], { description: "From 1; null below those that were asked for." }),
  decoded_token: Type.String(),
});

/** The field of a reply that its request asks for by `prompt_logprobs`, in vLLM's shape. */
export const promptLogprobsField = {
  prompt_logprobs: Type.Optional(
    Type.Array(Type.Union([Type.Record(Type.String(), Entry), Type.Null()]), {
      description:
        "With `prompt_logprobs`: of each of the prompt's tokens, by their ids its own and the likeliest; null for the first.",
    }),
  ),
};

/** What a reply says of its prompt's tokens, where it is asked to. */
export function promptLogprobs({ options, model }: ReplyFrame, tokens: readonly TokenLogprob[]) {
  const { promptLogprobs: topCount } = options;
  if (topCount === undefined) return {};
  const told = function* () {
    for (const token of tokens) yield entries(token, topCount, model.tokenizer);
  };
  return { prompt_logprobs: new LongList(told) };
}

function entries(
  { tokenId, logprob, top }: TokenLogprob,
  topCount: number,
  tokenizer: Tokenizer,
): Record<string, Static<typeof Entry>> | null {
  if (logprob === undefined) return null;
  const told = top.slice(0, topCount);
  const entry = (id: number, value: number, rank: number | null) => [
    String(id),
    { logprob: Number.isFinite(value) ? value : IMPOSSIBLE, rank, decoded_token: tokenizer.tokenText(id) },
  ];
  const ranked = told.map((one, i) => entry(one.tokenId, one.logprob, i + 1));
  const place = top.findIndex((one) => one.tokenId === tokenId);
  if (place < 0 || place >= topCount) ranked.unshift(entry(tokenId, logprob, place < 0 ? null : place + 1));
  return Object.fromEntries(ranked);
}
