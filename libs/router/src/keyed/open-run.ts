import { at } from "@drover/core";
import type { InferenceRequest } from "@drover/openai";
import type { Generation, KeyedPart } from "../requests/generation.ts";
import type { KeyedRun } from "./keyed-run.ts";
import { digestOf, originOfPrompt } from "./origin.ts";

/** Opens the generations of a keyed request, which take what was delivered of it before. Errors: those of `open`; `not_found` where that is of something else. */
export function openRun(
  requests: readonly InferenceRequest[],
  { journal, origin, epoch, follow }: KeyedRun,
  open: (request: InferenceRequest, keyed: KeyedPart) => Generation,
): readonly Generation[] {
  const delivered = journal.delivered(digestOf(requests));
  const sinks = journal.sinks(requests.length, at(requests, 0).sampling.n);
  const opened = requests.map((request, prompt) => {
    const replyId = originOfPrompt(origin, prompt).id;
    return open(request, { replyId, isFirst: epoch === 1 && follow === undefined, sink: at(sinks, prompt) });
  });
  journal.restore(opened, delivered);
  return opened;
}
