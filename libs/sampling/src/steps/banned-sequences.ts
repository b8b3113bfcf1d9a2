import type { DrawHistory, SamplingParams } from "@drover/core";
import type { ScoreStep } from "../step.ts";

/**
 * The ban of words: a sequence's last token is not chosen where the output ends with those before it. Where only allowed tokens may come and
 * all are banned, the ban gives way: something must come. Source: vLLM, apply_bad_words (v1/sample/ops/bad_words.py).
 */
export const bannedSequences: ScoreStep = {
  needed: ({ params }) => params.bannedSequences.length > 0,
  apply: (scores, { params, history }) => {
    const banned = bannedNext(params, history);
    const isLeft = (id: number) =>
      !banned.has(id) && (scores[id] ?? Number.NEGATIVE_INFINITY) > Number.NEGATIVE_INFINITY;
    if (params.allowedTokenIds.length > 0 && !params.allowedTokenIds.some(isLeft)) return;
    for (const id of banned) scores[id] = Number.NEGATIVE_INFINITY;
  },
};

/** The tokens that would end a banned sequence behind this output. */
export function bannedNext(
  { bannedSequences: sequences }: Pick<SamplingParams, "bannedSequences">,
  history: DrawHistory,
): ReadonlySet<number> {
  const banned = new Set<number>();
  for (const sequence of sequences) {
    const last = sequence.at(-1);
    if (last !== undefined && history.endsWith(sequence.slice(0, -1))) banned.add(last);
  }
  return banned;
}
